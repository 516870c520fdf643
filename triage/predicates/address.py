"""Address details: whether a courier finds the door. Signals of the reference 4.2; masked details are unknown."""

import re

from django.utils.translation import gettext_lazy as _

from orderhub.core.draft import OrderDraft, ReceiverDraft
from triage.matchers import Words
from triage.predicates.base import Batch, Detail, FactType, fact

PROBLEMS = {
    "missing": _("Nothing below the district"),
    "placeholder": _("Placeholder instead of an address"),
    "digits_only": _("Digits only"),
    "repeated": _("One character over and over"),
    "too_short": _("Too short"),
    "vague_end": _("Ends at a gate or landmark"),
    "direction": _("Directions instead of a number"),
    "landmark_only": _("Only a landmark"),
    "no_number": _("No house number"),
    "no_building": _("Estate without building or room"),
    "phone_inside": _("A phone number inside"),
    "second_address": _("A second address inside"),
    "odd_characters": _("Emoji or odd characters"),
}
SHORTEST = 5
"""Characters below which no detail can be an address."""

_ROOM = re.compile(
    r"\d\s*(?:室|房|单元|户|[-－—]\s*\d+\s*[-－—]\s*\d|[楼层]\s*(?:[A-Za-z]?\d|[东南西北左右]户)|"
    r"号?\s*(?:商铺|门面|店铺|铺|档|门市|车间|仓)|号?宿舍)|单元\s*\d|(?:栋|幢|座|号楼|#)\s*[A-Za-z]?\d{2,}|宿舍\s*[A-Za-z]?\d"
)
_UNITS = re.compile(
    r"(?:[A-Za-z]?\d+[A-Za-z]?|[A-Za-z]|[第一二三四五六七八九十百零东南西北中左右]+)\s*"
    r"(?:号楼|[栋幢座号楼层室房户门期区排铺档仓](?![一-鿿]?[路街道巷村院里庄]))|单元|小区|商铺|门面|店铺|车间|宿舍楼?"
)
_NAME = re.compile("[㐀-鿿].*?[㐀-鿿]|[村屯连团路街巷]|[A-Za-z]{3}")
"""What must be left besides building and room: two characters of a road, a village or an estate."""
_PART_OF_NAME = r"[^\x00-\x7f－—，。、（）市区县镇乡道栋幢座号楼层室房户单元门一二三四五六七八九十百零]"
_PLAINLY_NAMED = re.compile(
    rf"{_PART_OF_NAME}[一二三四五六七八九十]?{_PART_OF_NAME}++(?!(?<![小社])区|(?<!大)道|[市县镇乡])"
)
"""What begins with such a name, and with none of a region."""
_BUILDING = re.compile(
    r"\d|[A-Za-z]\s*[座栋幢区]|[一二三四五六七八九十百]+\s*(?:栋|幢|座|号|单元|楼|组|队|期|区|排|弄|巷|横)"
)
_VILLAGE = re.compile(r"村.{0,12}(?:组|队|屯|社|户|家|湾|沟|坪)|(?<=[一-鿿])屯")
_COUNTRY = (
    re.compile(r"[镇乡]|苏木|农场|林场|牧场|[\d〇零一二三四五六七八九十]团"),
    re.compile("(?<=[一-鿿])(?:[村屯组队庄寨社营连湾沟坪坝塘]|嘎查)"),
)
_STREETS = (re.compile("街道|开发区|办事处"), re.compile("(?<=[一-鿿])(?:(?<!新)村|[屯组队庄])"))
"""Kinds of towns, and what a village ends with there; below a street office 桃园新村 is an estate."""
_LOOKALIKES = re.compile(
    r"营[业销养]|[运经自直专]营|连锁|大连|社[区会保]|组[织装团]|沟通|港湾|家[园属]|"
    r"(?:[村屯庄寨][一-鿿]?|[队社营连湾沟坪坝塘][一-鿿]{0,2})(?<![大小公马])(?:路|大道)"
)
"""Words and roads with the last character of a village."""
_PHONE = re.compile(r"(?<!\d)(?:\+?86[\s-]?)?1[3-9]\d[\s-]?\d{4}[\s-]?\d{4}(?!\d)|(?<!\d)0\d{2,3}-\d{7,8}(?!\d)")
_SECOND = re.compile(
    r"((?:内蒙古|广西壮族|西藏|宁夏回族|新疆维吾尔)自治区|[一-鿿]{2,3}省)\s*([一-鿿]{2,8}?)(?:市|州|盟|地区)"
)
_ODD = re.compile("[\U0001f000-\U0001faff☀-➿️�⌀-⏿]")
_PART = re.compile(r"[^\s,，、(（]+")
"""What stands between spaces, commas and brackets: the name of an estate ends with it."""
_LABEL = re.compile(
    r"(?:(?:收货|收件|送货|详细)?地址[:：是为\s]+|中国[\s,，]*(?=[一-鿿]{2,3}[省市]|[一-鿿]{2,6}自治区))+"
)
"""What people write before an address."""
_KINDS = tuple("省市区县旗州盟镇乡道")
_SUFFIX = re.compile("^(?:省|市|(?:壮族|回族|维吾尔)?自治区)(?![场政府民])")
"""What a region's name ends with where the channel leaves it out (广西, 北京)."""
_ROAD = re.compile("[东南西北中]?(?:路|大道|大街)")
_EDGES = " \t\r\n,，.。:：;；/\\|-!！~～"
_LATIN = re.compile("[A-Za-z]")
_CJK = re.compile("[一-鿿]")
_NAMED = re.compile("[号室栋村路]")
_MULTIPLE = re.compile(r"(.)\1{3,}")
_PLAIN = re.compile(r"[㐀-鿿0-9A-Za-z \-－—#.,，。、()（）/&]{6,}")
_LONG_NUMBER = re.compile(r"[\d -]{10}")
_FOLD = str.maketrans("０１２３４５６７８９", "0123456789")


def address_problems(receiver: ReceiverDraft, words: Words) -> tuple[str, ...]:
    """Return the names of what is wrong with the address detail, in the order of `PROBLEMS`; () when it is complete."""
    detail = receiver.detail
    is_plain = _PLAIN.fullmatch(detail) is not None
    core = bare_detail(receiver, detail if is_plain else detail.translate(_FOLD))
    if not core:
        return ("missing",)
    nonsense = _nonsense(receiver.town, core, words)
    if nonsense:
        return (nonsense,)
    odd = _extras(receiver, core, is_plain)
    if _LATIN.search(core) and not _CJK.search(core):
        return odd
    return _place_problems(receiver.town, _PHONE.sub("", core) if "phone_inside" in odd else core, words) + odd


def bare_detail(receiver: ReceiverDraft, detail: str) -> str:
    """Return the detail without the label and the region names that people repeat at its start."""
    core = detail.strip(_EDGES)
    label = _LABEL.match(core)
    if label and _is_own(receiver, core[label.end() :]):
        core = core[label.end() :].strip(_EDGES)
    for name in (receiver.province, receiver.city, receiver.district, receiver.town):
        if name and core.startswith(name) and not _ROAD.match(core, len(name)):
            rest = core[len(name) :]
            core = (rest if name.endswith(_KINDS) else _SUFFIX.sub("", rest)).strip(_EDGES)
    return core


def _is_own(receiver: ReceiverDraft, core: str) -> bool:
    """Whether a detail does not begin with another province or city than the receiver's."""
    begin = _SECOND.match(core)
    if begin is None:
        return True
    province, city = begin.groups()
    return province.startswith(receiver.province[:2]) and city.startswith((receiver.city[:2], receiver.district[:2]))


def _extras(receiver: ReceiverDraft, core: str, is_plain: bool) -> tuple[str, ...]:
    """Return what does not belong into a detail at all."""
    found = []
    if _LONG_NUMBER.search(core) and _PHONE.search(core):
        found.append("phone_inside")
    if "省" in core or "自治区" in core:
        second = _SECOND.search(core)
        repeats = second is not None and second.start() == 0 and second.group(1).startswith(receiver.province[:2])
        if second is not None and not repeats:
            found.append("second_address")
    if not is_plain and _ODD.search(core):
        found.append("odd_characters")
    return tuple(found)


def _nonsense(town: str, core: str, words: Words) -> str:
    if words["placeholders"].has(core):
        return "placeholder"
    if core.isdigit():
        return "digits_only"
    if len(set(core)) == 1 or (len(core) < 12 and _MULTIPLE.search(core) and not _NAMED.search(core)):
        return "repeated"
    return "too_short" if len(core) < SHORTEST and not _is_rural(town, core, words, _COUNTRY) else ""


def _place_problems(town: str, core: str, words: Words) -> tuple[str, ...]:
    has_room = _ROOM.search(core) is not None
    if (has_room and _is_named(town, core)) or words["pick_up_points"].has(core):
        return ()
    if has_room:
        return ("no_number",)
    found = []
    core = core.strip(_EDGES)
    if words["vague_endings"].has(core):
        found.append("vague_end")
    if words["directions"].has(core):
        found.append("direction")
    has_number = _BUILDING.search(core) is not None
    if not has_number and words["landmarks"].has(core) and not words["landmark_parts"].has(core):
        found.append("landmark_only")
    if found or (not has_number and _is_rural(town, core, words, _COUNTRY, _STREETS)):
        return tuple(found)
    if not has_number:
        return ("no_number",)
    return ("no_building",) if _lacks_building(core, words) else ()


def _is_named(town: str, core: str) -> bool:
    """Whether a road, a village or an estate is named; a farm or a village in the place of the town is one."""
    if _PLAINLY_NAMED.match(core) or _NAME.search(_UNITS.sub(" ", core)):
        return True
    return town != "" and not town.endswith(("街道", "办事处", "镇", "乡"))


def _lacks_building(core: str, words: Words) -> bool:
    end = _estate_end(core, words)
    return end > 0 and not _BUILDING.search(core, end)


def _estate_end(core: str, words: Words) -> int:
    """Return where the last estate of an address ends, 0 without one; 政府 and 北苑路 only look like one."""
    estates, last = words["estates"], 0
    for part in _PART.finditer(core):
        text = part.group()
        if not estates.has(text):
            continue
        others = words["not_estates"].hits(text)
        for hit in estates.hits(text):
            if not any(other.start <= hit.start and hit.end <= other.end for other in others):
                last = max(last, part.start() + hit.end)
    return last


def _is_rural(town: str, core: str, words: Words, *kinds: tuple[re.Pattern[str], re.Pattern[str]]) -> bool:
    """Villages have no house numbers: town, village and group are a complete address, unless an estate follows."""
    start = _estate_end(core, words)
    bare = _LOOKALIKES.sub(lambda found: "某" * len(found.group()), core)
    return _VILLAGE.search(bare, start) is not None or any(
        village.search(bare, max(start, _town_end(kind, town, bare))) for kind, village in kinds
    )


def _town_end(kind: re.Pattern[str], town: str, core: str) -> int:
    """Return where a village may end that is below a town of that kind; past the end without such a town."""
    if kind.search(town):
        return 0
    found = kind.search(core)
    return found.end() + 1 if found else len(core)


def _is_readable(receiver: ReceiverDraft) -> bool:
    if "*" in receiver.detail or receiver.kind == "cipher":
        return False
    if receiver.detail.startswith(("~", "$")) and len(receiver.detail) > 20:
        return False
    if receiver.detail:
        return True
    # A token alone hides nothing: WeChat shops give one beside a plain address.
    is_hidden = receiver.kind == "masked" or "*" in receiver.phone or (receiver.oaid and receiver.kind == "")
    return not is_hidden


def _judge(batch: Batch) -> list[tuple[str, ...] | None]:
    words = batch.words
    found: list[tuple[str, ...] | None] = []
    for draft in batch.drafts:
        receiver = draft.receiver
        if _is_plainly_complete(receiver):
            found.append(())
        elif not _is_readable(receiver):
            found.append(None)
        else:
            found.append(address_problems(receiver, words))
    return found


def _is_plainly_complete(receiver: ReceiverDraft) -> bool:
    """Whether it has a name and a room and nothing in it needs a closer look: most addresses, told in little time."""
    detail = receiver.detail
    return (
        ("室" in detail or "单元" in detail or _ROOM.search(detail) is not None)
        and _PLAIN.fullmatch(detail) is not None
        and "省" not in detail
        and "自治区" not in detail
        and _LONG_NUMBER.search(detail) is None
        and _ROOM.search(detail) is not None
        and (_PLAINLY_NAMED.match(detail) is not None or _is_named(receiver.town, bare_detail(receiver, detail)))
    )


def _place(batch: Batch, i: int) -> dict[str, str]:
    """Return the words at which a vague address ends, for the explanation."""
    core = bare_detail(batch.drafts[i].receiver, batch.drafts[i].receiver.detail)
    words = batch.words
    return {"address.ends_with": words["vague_endings"].first(core) or words["directions"].first(core)}


def _basis(draft: OrderDraft) -> str:
    receiver = draft.receiver
    return "|".join((receiver.province, receiver.city, receiver.district, receiver.town, receiver.detail))


@fact(
    "address.problems",
    _("Address problems"),
    FactType.WORDS,
    about=_("What is missing or wrong in the address below the district. Unknown where the platform masks it."),
    example=["no_building"],
    choices=PROBLEMS,
    details=(Detail("address.ends_with", _("Vague words"), FactType.TEXT),),
    explain=_place,
    basis=_basis,
)
def problems(batch: Batch) -> list[tuple[str, ...] | None]:
    """Return what is wrong with each order's address."""
    return batch.once(_judge)


@fact(
    "address.forwarding",
    _("Goes to a forwarding warehouse"),
    FactType.FLAG,
    about=_("Words such as 转运 or 集运 in the address or the receiver's name."),
    example=True,
    basis=_basis,
)
def forwarding(batch: Batch) -> list[bool | None]:
    """Tell whether each order goes to a forwarder."""
    matcher = batch.words["forwarding"]
    return [
        True if matcher.has(r.detail) or matcher.has(r.name) else (False if _is_readable(r) else None)
        for r in (draft.receiver for draft in batch.drafts)
    ]
