"""What `fab` lists, one file a command or family; each reads as its steps."""
