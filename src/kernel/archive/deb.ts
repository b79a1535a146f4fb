import { sourceFault } from "./archive-fault.ts";
import { readArMembers, type ArMember, type RandomAccess } from "./ar.ts";

/** The only major version there has ever been. */
const knownFormat = /^2\.[0-9]+\n/;

/**
 * Where in a Debian package its files are: the member `data.tar…`. deb(5): `debian-binary`, the control archive and
 * the data archive, in this order; members whose name begins with an underscore may stand between them. Scripts are
 * in the control archive, which is not even opened.
 *
 * @throws BangerError KERNEL_SOURCE_INVALID
 */
export async function findDebData(file: RandomAccess, subject: string): Promise<ArMember> {
  const [format, ...rest] = await readArMembers(file, subject);
  if (format?.name !== "debian-binary") throw sourceFault(subject, "is an ar archive, but no Debian package");
  const version = Buffer.alloc(Math.min(format.size, 8));
  await file.read(version, format.start);
  if (!knownFormat.test(version.toString("latin1"))) {
    throw sourceFault(subject, "is a Debian package of a format other than 2.x");
  }
  const [control, data] = rest.filter(({ name }) => !name.startsWith("_"));
  if (control === undefined || !/^control\.tar(?:\.|$)/.test(control.name)) {
    throw sourceFault(subject, "is a Debian package without its control archive");
  }
  if (data === undefined || !/^data\.tar(?:\.|$)/.test(data.name)) {
    throw sourceFault(subject, "is a Debian package without its data archive");
  }
  if (/^data\.tar(?:\.gz|\.xz|\.zst)?$/.test(data.name)) return data;
  throw sourceFault(
    subject,
    `is compressed in a way that is not supported: ${JSON.stringify(data.name)}`,
    "Unpack it with `dpkg-deb -x`, and take its kernel in with `banger kernel import`.",
  );
}
