"""Errors and arguments in the forms of JD's gateway (protocol reference 3.4)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from channels_sync.sandbox.faults import Faults
from channels_sync.sandbox.trades import SHANGHAI

Args = Mapping[str, Any]

WRONG_ARGUMENT = "10100000"
"""JD's own number for it is not public; this one is the sandbox's."""
WRONG_STATE = "10100021"
NO_RIGHT_TO_IT = "10100018"
"""The sandbox's own too."""
NOTE_TOO_LONG = "10100039"
WRONG_FLAG = "10100040"


class GatewayError(Exception):
    """An `error_response` of the gateway; its HTTP status is 200."""

    def __init__(self, code: str, english: str, chinese: str) -> None:
        super().__init__(english)
        self.code = code
        self.english = english
        self.chinese = chinese

    def body(self) -> dict[str, Any]:
        """Return the envelope."""
        return {"error_response": {"zh_desc": self.chinese, "en_desc": self.english, "code": self.code}}


class ServiceError(Exception):
    """A refusal of the service behind the gateway: inside the success envelope, `success` false."""

    def __init__(self, code: str, chinese: str, english: str = "") -> None:
        super().__init__(chinese)
        self.code = code
        self.chinese = chinese
        self.english = english


def refuse_on_demand(faults: Faults, method: str, number: str) -> None:
    """Raise the ServiceError of a refusal that was set for this look-up of one order or SKU."""
    if number and faults.take(method, "refused", about=number):
        raise ServiceError(NO_RIGHT_TO_IT, "无权查询该订单", "no permission for this order")


def verdict(error: ServiceError | None = None) -> dict[str, Any]:
    """Return an `apiResult`: numberCode 0, or the refusal."""
    if error is None:
        return {"success": True, "numberCode": 0, "chineseErrCode": "", "englishErrCode": ""}
    return {
        "success": False,
        "numberCode": int(error.code),
        "chineseErrCode": error.chinese,
        "englishErrCode": error.english,
    }


def text_of(args: Args, name: str) -> str:
    """Return an argument as text. Raises ServiceError when it is missing."""
    value = args.get(name)
    if value is None or value == "":
        raise ServiceError(WRONG_ARGUMENT, f"缺少参数 {name}")
    return str(value)


def number_of(args: Args, name: str, most: int) -> int:
    """Return a number from 1 to `most`. Raises ServiceError."""
    text = text_of(args, name)
    if not text.isdigit() or not 1 <= int(text) <= most:
        raise ServiceError(WRONG_ARGUMENT, f"参数 {name} 不合法")
    return int(text)


def time_of(args: Args, name: str) -> datetime:
    """Return a time argument. Raises ServiceError."""
    moment = parse_time(text_of(args, name))
    if moment is None:
        raise ServiceError(WRONG_ARGUMENT, f"参数 {name} 不是时间")
    return moment


def parse_time(text: str) -> datetime | None:
    """Return a time as JD takes it, GMT+8 unless it says otherwise; None when it is none."""
    for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S.%f%z"):
        try:
            moment = datetime.strptime(text, form)  # noqa: DTZ007
        except ValueError:
            continue
        return moment if moment.tzinfo else moment.replace(tzinfo=SHANGHAI)
    return None
