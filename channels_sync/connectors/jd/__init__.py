"""JD (POP shops) through the JOS gateway."""

from channels_sync.connectors.jd.connector import JdConnector

__all__ = ["JdConnector"]
