"""Rankings and the engine, measured on tasks whose answers are known."""
