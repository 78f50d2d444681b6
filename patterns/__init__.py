"""How actors work together: rankings and tournaments over the verbs of a run."""
