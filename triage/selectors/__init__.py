"""What triage reads: the version in force, a batch's context, findings as people read them, figures."""
