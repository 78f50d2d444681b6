"""Where actors live: on Ray, or in this process."""
