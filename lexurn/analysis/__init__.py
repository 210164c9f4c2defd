"""What trained models became: tidy tables over many runs, each training urn counted once."""
