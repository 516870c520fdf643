"""SANDBOX VALUES: keys of the emulated platforms. They open nothing real; demo set-up and tests share them."""

import os
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the emulated platforms accept; each may be set by the environment as `SANDBOX_<NAME>`."""

    app_key: str = "12345678"
    app_secret: str = "sandbox-top-secret-not-real"  # noqa: S105
    session: str = "sandbox-session-0001"
    authorization_code: str = "sandbox-code"
    refresh_token: str = "sandbox-refresh-0001"  # noqa: S105
    seller_nick: str = "禾木生活旗舰店"
    seller_id: str = "2200512345678"
    mini_shop_nick: str = "禾木生活小程序商城"
    customer_id: str = "c-sandbox-0001"
    douyin_app_key: str = "6990000000000000001"
    douyin_secret: str = "5a5d0000-aaaa-bbbb-cccc-not-real"  # noqa: S105
    douyin_token: str = "sandbox-douyin-token-0001"  # noqa: S105
    douyin_refresh_token: str = "sandbox-douyin-refresh-0001"  # noqa: S105
    douyin_code: str = "sandbox-douyin-code"
    douyin_shop_id: str = "4463798"
    douyin_shop_name: str = "禾木生活抖音旗舰店"
    wechat_app_id: str = "wxsandbox000000001"
    wechat_secret: str = "sandbox-wechat-secret-not-real"  # noqa: S105
    wechat_push_token: str = "sandboxpushtoken"  # noqa: S105
    wechat_push_key: str = "c2FuZGJveC1wdXNoLWtleS1ub3QtcmVhbC0wMDAwMDA"
    wechat_shop_nick: str = "禾木生活微信小店"
    webhook_secret: str = "sandbox-webhook-secret-not-real"  # noqa: S105
    jd_app_key: str = "JDSANDBOXAPPKEY000001"
    jd_app_secret: str = "sandbox-jd-secret-not-real"  # noqa: S105
    jd_token: str = "sandbox-jd-token-0001"  # noqa: S105
    jd_refresh_token: str = "sandbox-jd-refresh-0001"  # noqa: S105
    jd_code: str = "sandbox-jd-code"
    jd_vender_id: str = "10012345"
    jd_shop_name: str = "禾木生活京东旗舰店"
    qimen_app_key: str = "12345678"
    qimen_secret: str = "sandbox-qimen-secret-not-real"  # noqa: S105
    warehouse_code: str = "WH01"
    owner_code: str = "HEMU"

    @classmethod
    def from_environment(cls) -> "Credentials":
        """Return the sandbox values with those of the environment on top."""
        given = {field.name: os.environ.get(f"SANDBOX_{field.name.upper()}") for field in fields(cls)}
        return cls(**{name: value for name, value in given.items() if value})


SANDBOX = Credentials()
"""The defaults, for demo set-up."""
