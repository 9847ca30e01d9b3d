"""One prompt with everything that lies near it: what moved, what did not, and what that says."""
