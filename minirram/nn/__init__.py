"""Networks on plain arrays: layers, loss and the engine that trains them. No physics."""
