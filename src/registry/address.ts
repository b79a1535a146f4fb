import { BlockList, isIP } from "node:net";

/** How near to us a host is. A name that is not an address is `name`: where it leads, only a resolver knows. */
export type AddressKind = "name" | "public" | "private" | "loopback" | "forbidden";

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/**
 * Nobody serves blobs there; cloud metadata services are among them: 169.254.169.254 and fd00:ec2::254, and Alibaba's,
 * Oracle's and Azure's own, which lie among private and public addresses.
 */
const forbidden = new BlockList();
forbidden.addSubnet("0.0.0.0", 8, "ipv4");
forbidden.addSubnet("169.254.0.0", 16, "ipv4");
forbidden.addSubnet("224.0.0.0", 3, "ipv4");
forbidden.addAddress("::", "ipv6");
forbidden.addSubnet("fe80::", 10, "ipv6");
forbidden.addSubnet("ff00::", 8, "ipv6");
forbidden.addAddress("fd00:ec2::254", "ipv6");
for (const address of ["100.100.100.200", "192.0.0.192", "168.63.129.16"])
  forbidden.addAddress(address, "ipv4");
// RFC 6052: what a NAT64 makes 169.254.0.0/16 of.
forbidden.addSubnet("64:ff9b::a9fe:0", 112, "ipv6");

/** RFC 1918, RFC 6598 and RFC 4193. */
const privateNets = new BlockList();
privateNets.addSubnet("10.0.0.0", 8, "ipv4");
privateNets.addSubnet("172.16.0.0", 12, "ipv4");
privateNets.addSubnet("192.168.0.0", 16, "ipv4");
privateNets.addSubnet("100.64.0.0", 10, "ipv4");
privateNets.addSubnet("fc00::", 7, "ipv6");

/** `hostname` as `URL.hostname` has it: in lower case, an IPv4 address in its dotted form, IPv6 in brackets. */
export function addressKind(hostname: string): AddressKind {
  const host = hostname.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
  if (host === "localhost" || host.endsWith(".localhost")) return "loopback";
  const version = isIP(host);
  if (version === 0) return "name";
  // BlockList compares an IPv4-mapped IPv6 address (::ffff:127.0.0.1) with IPv4 rules too.
  const family = version === 4 ? "ipv4" : "ipv6";
  if (forbidden.check(host, family)) return "forbidden";
  if (loopback.check(host, family)) return "loopback";
  return privateNets.check(host, family) ? "private" : "public";
}
