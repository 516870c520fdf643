"""Everything that judges orders or writes triage's tables."""

from triage.services.baselines import refresh_baselines, set_campaign_prices
from triage.services.defaults import load_defaults
from triage.services.findings import accept_findings, store_findings
from triage.services.judging import decide
from triage.services.publishing import publish_rules

__all__ = [
    "accept_findings",
    "decide",
    "load_defaults",
    "publish_rules",
    "refresh_baselines",
    "set_campaign_prices",
    "store_findings",
]
