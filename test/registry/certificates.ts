import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

export interface CertificatePair {
  readonly cert: string;
  readonly key: string;
}

/** Paths of PEM files: an authority of our own, and what it signed for 127.0.0.1, registry.test and token.test, and for a client. */
export interface Certificates {
  readonly ca: CertificatePair;
  readonly server: CertificatePair;
  readonly client: CertificatePair;
}

/** Makes them with openssl, in a folder that is the caller's. */
export function makeCertificates(folder: string): Certificates {
  const openssl = (...args: readonly string[]): void => {
    execFileSync("openssl", args, { stdio: ["ignore", "ignore", "pipe"] });
  };
  const pair = (name: string): CertificatePair => ({
    cert: join(folder, `${name}.pem`),
    key: join(folder, `${name}.key`),
  });
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const ca = pair("ca");
  openssl("req", "-x509", ...newKey, "-keyout", ca.key, "-out", ca.cert, "-subj", "/CN=test authority");
  const signed = (name: string, extension: string): CertificatePair => {
    const { cert, key } = pair(name);
    const request = join(folder, `${name}.csr`);
    const extensions = join(folder, `${name}.ext`);
    writeFileSync(extensions, extension);
    openssl("req", "-new", ...newKey, "-keyout", key, "-out", request, "-subj", `/CN=${name}`);
    const issuer = ["-CA", ca.cert, "-CAkey", ca.key, "-CAcreateserial", "-extfile", extensions];
    openssl("x509", "-req", "-in", request, "-out", cert, ...issuer);
    return { cert, key };
  };
  const server = signed(
    "server",
    "subjectAltName=IP:127.0.0.1,DNS:registry.test,DNS:token.test\nextendedKeyUsage=serverAuth\n",
  );
  const client = signed("client", "extendedKeyUsage=clientAuth\n");
  return { ca, server, client };
}
