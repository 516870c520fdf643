"""What each platform and each warehouse system needs to be authorised."""

from channels_sync.connectors.base import connectors
from channels_sync.warehouses.base import warehouses
from orderhub.console.credentials import SystemKind, adapters, platforms

for _key, _connector in connectors.items():
    platforms.add(_key, SystemKind(_key, _connector.label, _connector.credential_fields))
for _key, _adapter in warehouses.items():
    adapters.add(_key, SystemKind(_key, _adapter.label, _adapter.credential_fields))
