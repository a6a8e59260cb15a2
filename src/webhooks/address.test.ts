import { describe, expect, it } from "vitest";
import { isPublicAddress } from "./address.ts";

describe("isPublicAddress()", () => {
  it.each(["8.8.8.8", "1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001:81b::200e"])(
    "is true of %s",
    (address) => {
      expect(isPublicAddress(address)).toBe(true);
    },
  );

  it.each([
    ["this machine", "127.0.0.1", "127.255.255.254", "::1"],
    ["no machine", "0.0.0.0", "0.1.2.3", "::", "255.255.255.255"],
    ["private networks", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fdff::1"],
    [
      "link-local networks and metadata services",
      "169.254.1.1",
      "169.254.169.254",
      "fe80::1",
      "fd00:ec2::254",
    ],
    ["networks of providers", "100.64.0.1", "100.127.255.255", "100.100.100.200"],
    ["groups", "224.0.0.1", "239.255.255.255", "ff02::1"],
    ["what is reserved", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "240.0.0.1"],
    ["what is reserved in IPv6", "100::1", "2001:db8::1", "3fff::1", "5f00::1", "fec0::1", "2001:2::1"],
    [
      "IPv4 inside of IPv6",
      "::ffff:127.0.0.1",
      "::ffff:8.8.8.8",
      "::127.0.0.1",
      "::7f00:1",
      "::ffff:0:7f00:1",
    ],
    [
      "tunnels and translations",
      "64:ff9b::7f00:1",
      "64:ff9b:1::a00:1",
      "2002:7f00:1::",
      "2001::1",
      "192.88.99.1",
    ],
    ["what is no address", "", "localhost", "8.8.8.8 ", "8.8.8.8/8"],
  ])("is false of %s", (_, ...addresses) => {
    for (const address of addresses) expect(isPublicAddress(address), address).toBe(false);
  });
});
