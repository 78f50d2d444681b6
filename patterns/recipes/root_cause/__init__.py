"""A root-cause hunt over incident evidence: digests, analysts, a panel and a ranked synthesis."""
