/** Leases of whatever only one of several executing processes may do at a time. */
export interface LeaseRecords {
  /**
   * Takes the lease of a name, or prolongs it for who has it. False, and nothing is changed, while another holder
   * has it. A lease that has run out is anybody's.
   */
  takeLease(request: NamedLease): Promise<boolean>;
  /** Gives a lease back; nothing happens when another holder has it by now. */
  dropLease(lease: Omit<NamedLease, "leaseMs">): Promise<void>;
  /** Removes leases by name that ran out more than `ms` milliseconds ago: their holders died, and nobody else wanted them. */
  removeLapsedLeases(ms: number): Promise<void>;
  /** How many hold a lease, not run out, that is named by `group` and themselves: several do the same together. */
  countHolders(group: string): Promise<number>;
}

export interface NamedLease {
  name: string;
  /** Names one process for as long as it lives. */
  holder: string;
  leaseMs: number;
}
