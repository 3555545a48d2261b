"""Many arrays under the matrices of one network: placement, dead lines, faults, wear."""
