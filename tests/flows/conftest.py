from tests.channels_sync.conftest import platform, taobao_shop

__all__ = ["platform", "taobao_shop"]
