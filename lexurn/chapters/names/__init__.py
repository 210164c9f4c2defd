"""Names and alphabets: what slows memorizing down in models whose embeddings are redrawn."""
