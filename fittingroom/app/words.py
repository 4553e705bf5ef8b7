"""Everything the page says, in each of its languages: one table, for the template, the script and the errors.

English sentences about a result are the library's own; in other languages they are put together from the same facts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from starlette.exceptions import HTTPException
from starlette.requests import Request

from fittingroom.app.limits import UPLOAD_SECONDS
from fittingroom.appearance.choose import AvailableStyle
from fittingroom.domain import warn_of_photo
from fittingroom.errors import (
    FittingroomError,
    ImageRejected,
    InputError,
    MissingInputError,
    NoGarmentFound,
    NothingNear,
)
from fittingroom.tryon.nearness import in_words
from fittingroom.tryon.photo import Photo
from fittingroom.tryon.steps import TryOnResult
from fittingroom.tryon.wanted import Wanted

Language = Literal["en", "ko"]
LANGUAGES: dict[Language, str] = {"en": "English", "ko": "한국어"}
MAX_UPLOAD_BYTES = 15_000_000
MEGABYTES = MAX_UPLOAD_BYTES // 1_000_000

SCRIPT = "js_"
"""What the keys begin with that the script says."""
_SAID_BY_BOTH = ("photo_other", "warning", "no_photo", "heic", "413")

_TABLE: dict[str, tuple[str, str]] = {
    # The page.
    "tagline": ("See a garment on yourself, in another style.", "내 사진 속 옷을 다른 스타일로 바꿔 보세요."),
    "language": ("Language", "언어"),
    "photo": ("Your photo", "내 사진"),
    "photo_how": (
        "Drop a photo here, paste one, or choose a file.",
        "사진을 끌어다 놓거나, 붙여 넣거나, 파일을 고르세요.",
    ),
    "photo_choose": ("Choose a photo", "사진 고르기"),
    "photo_take": ("Take a photo", "사진 찍기"),
    "photo_other": ("Another photo", "다른 사진"),
    "photo_tip": ("One person from the front works best.", "한 사람이 정면으로 나온 사진이 가장 좋습니다."),
    "photo_kinds": (
        f"JPEG, PNG, WebP or AVIF, up to {MEGABYTES} MB.",
        f"JPEG, PNG, WebP, AVIF, {MEGABYTES} MB까지.",
    ),
    "privacy": (
        "Your pictures are used for this request only; nothing of them is kept.",
        "사진은 이 요청에만 쓰이며, 어디에도 남기지 않습니다.",
    ),
    "style": ("Style", "스타일"),
    "style_hint": ("Pick one to try it on.", "고르면 바로 입어 봅니다."),
    "search": ("Search styles", "스타일 찾기"),
    "colour": ("Colour", "색"),
    "pattern": ("Pattern", "무늬"),
    "any_colour": ("All colours", "모든 색"),
    "any_pattern": ("All patterns", "모든 무늬"),
    "no_match": ("No style is like that.", "그런 스타일이 없습니다."),
    "starter": ("Starter", "기본"),
    "starter_why": ("came with Fittingroom", "Fittingroom에 들어 있는 스타일"),
    "own": ("Your own garment", "내가 가진 옷"),
    "own_words": ("from its picture", "옷 사진으로"),
    "own_picture": ("A picture of the garment", "옷 사진"),
    "own_how": (
        "A shop's photo or a swatch: pattern and colours are taken from it.",
        "쇼핑몰 사진이나 천 사진이면 됩니다. 무늬와 색을 사진에서 가져옵니다.",
    ),
    "own_alt": ("The garment's picture", "옷 사진 미리보기"),
    "nearest": ("Take the nearest style if none has its pattern", "같은 무늬가 없으면 가장 가까운 스타일로"),
    "cloth": ("It shows nothing but cloth", "천만 찍은 사진입니다"),
    "options": ("Colour, garment and person", "색, 옷, 사람"),
    "in_colour": ("In another colour", "다른 색으로"),
    "colour_picker": ("Pick a colour", "색 고르기"),
    "colour_own": ("Its own colours", "원래 색"),
    "colour_none": ("This style has no colours but its own.", "이 스타일은 원래 색으로만 됩니다."),
    "colour_picture": ("Your picture brings its own colours.", "색은 옷 사진에서 가져옵니다."),
    "garment": ("Which garment", "어느 옷"),
    "garment_": ("the one that suits the style", "스타일에 맞는 옷"),
    "garment_upper": ("the upper garment", "상의"),
    "garment_lower": ("the lower garment", "하의"),
    "garment_full": ("the dress or suit", "원피스"),
    "garment_all": ("everything", "모두"),
    "person": ("Whose", "누구"),
    "person_": ("the person in the middle", "가운데 사람"),
    "person_n": ("person {n} from the left", "왼쪽에서 {n}번째 사람"),
    "person_all": ("everybody", "모두"),
    "try_on": ("Try it on", "입어 보기"),
    "try_all": ("Try all styles", "모두 입어 보기"),
    "no_styles": (
        "No style serves at the moment. Train one first:",
        "지금 쓸 수 있는 스타일이 없습니다. 먼저 학습하세요:",
    ),
    "result": ("Result", "결과"),
    "results": ("Tried on", "입어 본 스타일"),
    "before": ("before", "전"),
    "after": ("after", "후"),
    "before_alt": ("your photo", "내 사진"),
    "after_alt": ("your photo with the new garment", "새 옷을 입은 내 사진"),
    "slider": ("Before and after: how much is shown as it was", "전과 후: 원래 모습을 보이는 정도"),
    "full": ("Full size", "크게 보기"),
    "fit": ("Fit", "화면에 맞춤"),
    "close": ("Close", "닫기"),
    "download": ("Download", "내려받기"),
    "copy": ("Copy", "복사"),
    "share": ("Share", "공유"),
    "cancel": ("Cancel", "취소"),
    "warning": ("Warning: {what}", "주의: {what}"),
    # The script.
    "js_sending": ("Sending the photo", "사진을 보내는 중"),
    "js_waiting": ("Waiting: number {place} in the line", "차례를 기다리는 중: {place}번째"),
    "js_looking": ("Opening the photo", "사진을 여는 중"),
    "js_next": ("You are next", "다음 차례입니다"),
    "js_choosing": ("Looking at the garment's picture", "옷 사진을 보는 중"),
    "js_finding": ("Finding the garment", "옷을 찾는 중"),
    "js_painting": ("Painting the new one", "새 옷을 그리는 중"),
    "js_of": ("{n} of {all}: {style}", "{all}개 중 {n}번째: {style}"),
    "js_cancelled": ("Cancelled.", "취소했습니다."),
    "js_offline": ("The page's server does not answer. Try again.", "서버가 응답하지 않습니다. 다시 해 보세요."),
    "js_chosen": ("Photo chosen: {name}. Now pick a style.", "고른 사진: {name}. 이제 스타일을 고르세요."),
    "js_no_picture": ("Choose a picture of the garment first.", "먼저 옷 사진을 고르세요."),
    "js_not_picture": (
        "{name} is not a picture. Choose a JPEG or PNG.",
        "{name}: 사진이 아닙니다. JPEG나 PNG를 고르세요.",
    ),
    "js_found": ("Styles shown: {n}", "보이는 스타일: {n}"),
    "js_copied": ("Copied.", "복사했습니다."),
    "js_not_copied": ("This browser does not let pages copy pictures.", "이 브라우저에서는 그림을 복사할 수 없습니다."),
    "js_sheet": ("All styles", "모든 스타일"),
    "js_sheet_said": (
        "{n} styles on one sheet. Choose one to see it large.",
        "스타일 {n}개를 한 장에 모았습니다. 고르면 크게 보입니다.",
    ),
    "js_your_photo": ("Your photo", "내 사진"),
    "js_own": ("Your garment", "내 옷"),
    # What was wrong, for visitors.
    "no_photo": ("choose a photo first", "먼저 사진을 고르세요."),
    "empty_photo": (
        "this photo cannot be used: the file is empty; choose another",
        "이 사진은 쓸 수 없습니다. 빈 파일입니다. 다른 사진을 고르세요.",
    ),
    "heic": (
        "this photo cannot be used: this is a HEIC picture, as iPhones save them: save or export it as JPEG",
        "이 사진은 쓸 수 없습니다. 아이폰의 HEIC 사진입니다. JPEG로 저장하거나 내보내세요.",
    ),
    "no_style": ("choose a style first", "먼저 스타일을 고르세요."),
    "gone_style": (
        "this style is not on offer any more; choose one of those below",
        "이 스타일은 이제 없습니다. 아래에서 다른 것을 고르세요.",
    ),
    "empty_picture": (
        "the garment's picture is empty; choose another",
        "옷 사진이 빈 파일입니다. 다른 사진을 고르세요.",
    ),
    "two_colours": (
        "a garment's picture brings its own colours; leave out the colour, or the picture",
        "옷 사진에서 색을 가져옵니다. 색과 옷 사진 가운데 하나만 고르세요.",
    ),
    "no_target": (
        "which garment, and whose, is not something this page offers; choose again",
        "어느 옷, 누구를 다시 고르세요.",
    ),
    "no_colour": (
        "colour: expected #rrggbb, a CSS name such as seagreen, rgb() or lab(), got {got}",
        "색을 알 수 없습니다: {got}. #2f6b3a나 seagreen처럼 쓰세요.",
    ),
    "own_colours": (
        "colour: style {style} has no colours but its own; leave the colour out",
        "{style} 스타일은 원래 색으로만 됩니다. 색을 비워 두세요.",
    ),
    "no_garment_on_picture": (
        "no garment was found on its picture; if it shows nothing but cloth, say so below it",
        "옷 사진에서 옷을 찾지 못했습니다. 천만 찍은 사진이면 아래에 표시하세요.",
    ),
    "no_garment": (
        "no garment was found on the person photo; try one that shows the garment larger, from the front",
        "사진에서 옷을 찾지 못했습니다. 옷이 더 크게, 정면으로 나온 사진을 써 보세요.",
    ),
    "not_that_garment": (
        "{said}",
        "사진에서 고른 옷이나 사람을 찾지 못했습니다. 다른 것을 골라 보세요.",
    ),
    "nothing_near": (
        "{said}; choose one of the styles below, or ask for the nearest one",
        "같은 무늬의 스타일이 없습니다. 아래에서 고르거나, ‘가장 가까운 스타일로’에 표시하세요.",
    ),
    "input": ("{said}", "이 입력은 쓸 수 없습니다. 다시 골라 보세요."),
    "not_now": (
        "this cannot be tried on at the moment; try again later",
        "지금은 입어 볼 수 없습니다. 나중에 다시 해 보세요.",
    ),
    "image": ("this photo cannot be used: {said}", "이 사진은 쓸 수 없습니다. {why}"),
    "400": ("the form did not arrive whole: {said}", "보낸 내용이 다 오지 않았습니다. 다시 보내 보세요."),
    "403": ("this form was sent from another site", "다른 사이트에서 보낸 요청입니다."),
    "404": (
        "there is nothing at this address; the form below is all there is",
        "이 주소에는 아무것도 없습니다. 아래 화면이 전부입니다.",
    ),
    "408": (
        f"the photo did not arrive within {UPLOAD_SECONDS:g} s; try a smaller one, or another line",
        f"사진이 {UPLOAD_SECONDS:g}초 안에 오지 않았습니다. 더 작은 사진이나 다른 회선을 써 보세요.",
    ),
    "413": (
        f"this upload is too large, at most {MEGABYTES} MB are accepted; make the photo smaller",
        f"파일이 너무 큽니다. {MEGABYTES} MB까지 됩니다. 사진을 줄여 보세요.",
    ),
    "500": (
        "something went wrong here; the server's log says what",
        "여기에서 문제가 생겼습니다. 서버 기록에 까닭이 있습니다.",
    ),
    "503": (
        "many people are trying things on right now; try again in a minute",
        "지금 많은 사람이 입어 보고 있습니다. 잠시 뒤에 다시 해 보세요.",
    ),
}

_KOREAN = {
    "black": "검정", "white": "하양", "grey": "회색", "red": "빨강", "orange": "주황", "yellow": "노랑",
    "green": "초록", "blue": "파랑", "purple": "보라", "pink": "분홍", "brown": "갈색", "beige": "베이지",
    "navy": "남색", "solid": "민무늬", "striped": "줄무늬", "checked": "체크", "dotted": "물방울",
    "floral": "꽃무늬", "graphic": "그림", "short sleeve top": "반팔 상의", "long sleeve top": "긴팔 상의",
    "vest": "민소매 상의", "sling": "끈 민소매", "short sleeve outwear": "반팔 겉옷",
    "long sleeve outwear": "긴팔 겉옷", "shorts": "반바지", "trousers": "긴바지", "skirt": "치마",
    "short sleeve dress": "반팔 원피스", "long sleeve dress": "긴팔 원피스", "vest dress": "민소매 원피스",
    "sling dress": "끈 원피스",
}  # fmt: skip
"""Colours, patterns and categories, as styles have them."""
_KOREAN_REASONS = {
    "empty": "빈 파일입니다.",
    "too_many_bytes": "파일이 너무 큽니다. 더 작게 저장하세요.",
    "too_many_pixels": "화소가 너무 많습니다. 크기를 줄이세요.",
    "too_many_scans": "너무 복잡한 JPEG입니다. 보통 JPEG로 다시 저장하세요.",
    "too_much_memory": "메모리를 너무 많이 씁니다. 크기를 줄이세요.",
    "too_slow": "여는 데 너무 오래 걸립니다. 보통 JPEG나 PNG로 다시 저장하세요.",
    "format_not_allowed": "JPEG, PNG, WebP, AVIF 사진이 아닙니다. JPEG로 저장하세요.",
}


class Refusal(InputError):
    """What a visitor is to do otherwise, in the page's own words: a key of the table, and what it is about."""

    def __init__(self, key: str, **values: str) -> None:
        self.key, self.values = key, values
        super().__init__(word(key, "en", **values))


class NoGarmentOnPicture(NoGarmentFound):
    """The garment's own picture shows none."""


def word(key: str, language: Language, **values: object) -> str:
    """An entry of the table."""
    english, korean = _TABLE[key]
    text = english if language == "en" else korean
    return text.format(**values) if values else text


def script_words(language: Language) -> dict[str, str]:
    """What the script says, by its own names."""
    return {
        key.removeprefix(SCRIPT): capital(word(key, language))
        for key in _TABLE
        if key.startswith(SCRIPT) or key in _SAID_BY_BOTH
    }


def language_of(request: Request) -> Language:
    """The language asked for (``?lang=ko``), else the one the browser likes best; English where it says neither."""
    asked = request.query_params.get("lang")
    liked: list[tuple[float, Language]] = []
    for part in request.headers.get("accept-language", "").split(","):
        tag, _, rest = part.strip().partition(";")
        for language in LANGUAGES:
            if language == asked:
                return language
            if tag.split("-")[0].lower() == language:
                liked.append((_weight(rest), language))
    return max(liked, key=lambda one: one[0])[1] if liked else "en"


def _weight(text: str) -> float:
    try:
        return float(text.strip().removeprefix("q=") or 1)
    except ValueError:
        return 0.0


def name_of(said: str, language: Language) -> str:
    """A colour, a pattern or a category; what the table has not stays as it is."""
    return said if language == "en" else _KOREAN.get(said, said)


def style_words(style: AvailableStyle, language: Language) -> str:
    """``red, solid, vest``."""
    return ", ".join(name_of(part, language) for part in (style.colour, style.pattern, style.category) if part)


def sentence_of(photo: Photo, result: TryOnResult, wanted: Wanted, language: Language) -> str:
    """What was changed to what, how near it came, and what became of the photo."""
    shrunk = photo.shrunk_from
    if language == "en":
        near = "" if wanted.choice.exact else wanted.choice.message
        parts = [result.taken.sentence(wanted.words()), near, in_words(result.colour)]
        if shrunk:
            parts.append(f"the photo was made smaller, from {shrunk[0]} x {shrunk[1]} pixels")
        return " ".join(f"{capital(part)}." for part in parts if part)
    words = style_words(wanted.style, language)
    style = wanted.words() if wanted.dyed else f"{wanted.style.name}({words})" if words else wanted.style.name
    changed = ", ".join(name_of(each.found.garment.category, language) for each in result.changed)
    said = [f"{style} 스타일로 바꿨습니다. 바꾼 옷: {changed}(추정)."]
    people = len({each.person for each in result.found})
    if people > 1:
        numbers = sorted({each.found.person for each in result.changed})
        said.append(f"{people}명 가운데 왼쪽에서 {', '.join(map(str, numbers))}번째 사람입니다.")
    if not wanted.choice.exact:
        said.append("똑같은 스타일이 없어 가장 가까운 것으로 했습니다.")
    said += [f"원한 색 {one.wanted}, 나온 색 {one.got} (CIEDE2000 {one.ciede2000:.1f})." for one in result.colour]
    if shrunk:
        said.append(f"사진을 {shrunk[0]} x {shrunk[1]} 화소에서 줄였습니다.")
    return " ".join(said)


def warning_in(photo: Photo, result: TryOnResult, domains: dict[str, str], language: Language) -> str:
    """Why the result is not to be trusted; empty where nothing speaks against it."""
    learnt = warn_of_photo(photo.rendered, domains)
    if language == "en":
        return "; ".join(filter(None, (learnt, result.doubt)))
    said = ["사진이 아니라 그림으로 배운 모델이라 결과가 서툴 수 있습니다."] if learnt else []
    return " ".join([*said, *(["옷의 윤곽이 잘못되었을 수 있습니다."] if result.doubt else [])])


def words_of(error: FittingroomError, language: Language) -> str:
    """An error in words for who sent the photo; nothing about the server's files."""
    said = str(error)
    if isinstance(error, Refusal):
        return word(error.key, language, **error.values)
    if isinstance(error, ImageRejected):
        if "HEIC" in error.detail:
            return word("heic", language)
        why = _KOREAN_REASONS.get(error.reason, "파일이 망가졌습니다. 다른 사진을 고르세요.")
        return word("image", language, said=error.detail, why=why)
    if isinstance(error, NothingNear):
        return word("nothing_near", language, said=error.what)
    if isinstance(error, NoGarmentOnPicture):
        return word("no_garment_on_picture", language)
    if isinstance(error, NoGarmentFound):
        return word("no_garment" if said == word("no_garment", "en") else "not_that_garment", language, said=said)
    if isinstance(error, InputError) and not isinstance(error, MissingInputError):
        return word("input", language, said=said)
    return word("not_now", language)


def http_words(error: HTTPException, language: Language) -> str:
    """What the framework or a limit refuses, in words for who sent it."""
    key = str(404 if error.status_code == 405 else error.status_code)
    return word(key, language, said=error.detail) if key in _TABLE else str(error.detail)


def capital(text: str) -> str:
    """With a capital first letter."""
    return text[:1].upper() + text[1:]


def either(styles: Sequence[str], language: Language) -> list[tuple[str, str]]:
    """Each different one of these colours or patterns, and its name."""
    return [(each, name_of(each, language)) for each in sorted(set(filter(None, styles)))]
