"""What integration tests are made of: our processes, other people's servers, a strict client, certificates."""
