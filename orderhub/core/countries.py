"""How sources write the country of a receiver in China."""

CHINA = frozenset({
    "CN", "CHN", "CHINA", "PRC", "P.R.CHINA", "86", "+86", "0086", "156",
    "中国", "中华人民共和国", "中国大陆", "中国内地", "大陆", "内地", "国内",
})  # fmt: skip
"""Without spaces and in upper case; ISO 3166 in letters and digits, the code that is dialled, the usual words."""


def is_china(country: str) -> bool:
    """Tell whether a country is written as China, or not at all."""
    name = country.replace(" ", "").upper()
    return not name or name in CHINA
