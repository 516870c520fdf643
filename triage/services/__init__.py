"""Everything that judges orders or writes triage's tables."""

from triage.services.after_push import clear_after_push, note_after_push
from triage.services.baselines import refresh_baselines, set_campaign_prices
from triage.services.defaults import load_defaults
from triage.services.findings import accept_findings, new_findings, replace_findings
from triage.services.judging import decide, hear
from triage.services.publishing import publish_rules

__all__ = [
    "accept_findings",
    "clear_after_push",
    "decide",
    "hear",
    "load_defaults",
    "new_findings",
    "note_after_push",
    "publish_rules",
    "refresh_baselines",
    "replace_findings",
    "set_campaign_prices",
]
