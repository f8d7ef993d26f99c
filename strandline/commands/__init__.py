"""The commands of `strandline`, one file each."""
