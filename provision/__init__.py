"""What is on a host and how it gets there: `fab` reads a plan, carries it out over SSH, and proves the result."""
