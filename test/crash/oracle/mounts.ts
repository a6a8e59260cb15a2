import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Runs a program of the system, which must succeed. */
export function system(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: "utf8", stdio: "pipe" }).trim();
}

/** Why this machine lets us mount nothing, or null. */
export function mountsUnavailable(): string | null {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "mounting needs Linux and root";
  const place = mkdtempSync(join(tmpdir(), "nerif-mount-"));
  try {
    mountTmpfs(place, "1m");
    unmount(place);
    return null;
  } catch {
    return "this system does not let us mount a file system";
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

/** Why there is no disk whose power can be cut, or null. */
export function loopUnavailable(): string | null {
  const reason = mountsUnavailable();
  if (reason !== null) return reason;
  try {
    system("losetup", "-f");
    system("which", "mkfs.ext4");
    return null;
  } catch {
    return "there is no loop device, or no mkfs.ext4";
  }
}

export function mountTmpfs(place: string, size: string): void {
  mkdirSync(place, { recursive: true });
  system("mount", "-t", "tmpfs", "-o", `size=${size}`, "tmpfs", place);
}

/** An image file with a file system, mounted past the page cache of the machine. @returns the loop device */
export function mountImage(image: string, place: string): string {
  mkdirSync(place, { recursive: true });
  const device = system("losetup", "--direct-io=on", "-f", "--show", image);
  try {
    system("mount", device, place);
    return device;
  } catch (reason) {
    system("losetup", "-d", device);
    throw reason;
  }
}

export function unmount(place: string, device: string | null = null): void {
  system("umount", place);
  if (device !== null) system("losetup", "-d", device);
}
