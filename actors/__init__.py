"""One actor and all it needs: messages, tables, models, simulation, the roles."""
