"""What the model can do: tools whose calls become results, never exceptions."""
