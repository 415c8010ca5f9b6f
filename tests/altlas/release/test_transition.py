"""Taking one stack's settings into another stack's file."""

import json
import re
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from altlas.release.settings_diff import Leaf
from altlas.release.transition import take_settings
from components.settings import PlatformSettings
from components.stack.loading import parse_platform
from components.stack.problems import PLATFORM_KEY, SettingsError
from tests.support.documents import STACKS, alpha_settings, alpha_with, platform_of, stack_text

FORMS = st.tuples(st.integers(2, 6), st.integers(4, 10))
"""Indentation within the settings block, and of the block."""
FILE = """\
# The alpha phase.
config:
  kubernetes:context: mine  # not ours
  alt-las:platform:
{block}
  # Made by a command; do not edit.
  alt-las:apiGatewayJwtSecret:
    secure: v1:abc==

encryptionsalt: v1:salt:==  # of this stack
"""


def block_of(document: dict[str, Any], indent: int = 2, start: int = 4) -> str:
    """A settings block, indented as asked, without the line break at its end."""
    text = yaml.safe_dump(document, indent=indent, sort_keys=False)
    return "\n".join(" " * start + line for line in text.splitlines())


def file_of(stack: str, indent: int = 2, start: int = 4) -> str:
    """A stack file with a stack's settings, comments, other keys and secrets."""
    return FILE.format(block=block_of(platform_of(stack), indent, start))


def settings_in(text: str) -> PlatformSettings:
    """The settings in a stack file's text."""
    return parse_platform(yaml.load(text, yaml.CSafeLoader)["config"][PLATFORM_KEY])


def settings_of(stack: str) -> PlatformSettings:
    """The settings of a stack as checked in."""
    return parse_platform(platform_of(stack))


def with_identity(settings: PlatformSettings, identity: PlatformSettings) -> PlatformSettings:
    """The settings with the namespace and host of others."""
    host = settings.ingress.model_copy(update={"host": identity.ingress.host})
    return settings.model_copy(update={"namespace": identity.namespace, "ingress": host})


def refusal(into: str, source: str, identity: PlatformSettings) -> str:
    """Why the settings cannot be taken."""
    with pytest.raises(SettingsError) as caught:
        take_settings(into, source, identity)
    return str(caught.value)


@pytest.mark.parametrize(("into", "source"), [STACKS, STACKS[::-1]])
def test_the_way_there_and_back_gives_the_same_text(into: str, source: str) -> None:
    """A transition can be undone to the byte."""
    there = take_settings(stack_text(into), stack_text(source), settings_of(into))
    assert there != stack_text(into)
    assert take_settings(there, stack_text(into), settings_of(into)) == stack_text(into)


def test_identity_stays_and_everything_else_is_taken() -> None:
    """Namespace and host are alpha's, all else is beta's."""
    taken = settings_in(take_settings(stack_text("alpha"), stack_text("beta"), settings_of("alpha")))
    assert (taken.namespace, taken.ingress.host) == ("alt-las", "alt-las.local")
    assert taken == with_identity(settings_of("beta"), settings_of("alpha"))


def test_comments_secrets_salt_and_other_keys_survive() -> None:
    """Every line outside of the block stays as it is, in its place."""
    taken = take_settings(file_of("alpha"), file_of("beta"), settings_of("alpha"))
    outside = FILE.split("{block}")
    assert taken.startswith(outside[0])
    assert taken.endswith(outside[1])


def test_a_comment_below_the_block_stays_with_the_key_it_explains() -> None:
    """For a YAML parser it would belong to the block above."""
    source = file_of("beta").replace("# Made by a command; do not edit.", "# beta's own words")
    taken = take_settings(file_of("alpha"), source, settings_of("alpha"))
    assert "  # Made by a command; do not edit.\n  alt-las:apiGatewayJwtSecret:" in taken
    assert "beta's own words" not in taken


def test_comments_inside_the_block_come_with_the_settings() -> None:
    """They explain the figures beside them, the last one included."""
    source = FILE.format(block=block_of(platform_of("beta")) + "  # the last word\n    # and one more")
    taken = take_settings(file_of("alpha"), source, settings_of("alpha"))
    assert "  # the last word\n    # and one more\n  # Made by a command" in taken


@pytest.mark.parametrize(("own", "others"), [((2, 4), (4, 8)), ((4, 8), (2, 4)), ((2, 4), (3, 5)), ((2, 6), (2, 4))])
def test_files_with_other_indentation_fit(own: tuple[int, int], others: tuple[int, int]) -> None:
    """Both widths: within the block, and of the block."""
    taken = take_settings(file_of("alpha", *own), file_of("beta", *others), settings_of("alpha"))
    assert settings_in(taken) == with_identity(settings_of("beta"), settings_of("alpha"))
    assert take_settings(taken, file_of("alpha", *own), settings_of("alpha")) == file_of("alpha", *own)


@pytest.mark.parametrize("namespace", ["123", "0x1f", "1e3", "true", "null", "yes", "off", "a", "0-0"])
def test_a_namespace_that_looks_like_something_else_stays_text(namespace: str) -> None:
    """A number or a truth value without quotes would be read as one, here or by Pulumi."""
    identity = alpha_settings({"namespace": namespace})
    taken = take_settings(stack_text("alpha"), stack_text("beta"), identity)
    assert yaml.safe_load(taken)["config"][PLATFORM_KEY]["namespace"] == namespace
    plain = re.search(rf"^ +namespace: {namespace}$", taken, re.MULTILINE)
    assert bool(plain) is (namespace == "a")


@pytest.mark.parametrize("quote", ["'", '"'])
def test_quotes_of_the_source_do_not_stay_around_another_value(quote: str) -> None:
    """The whole value is replaced, quotes included."""
    source = stack_text("beta").replace("namespace: alt-las-beta", f"namespace: {quote}alt-las-beta{quote}")
    taken = take_settings(stack_text("alpha"), source, settings_of("alpha"))
    assert "    namespace: alt-las\n" in taken


def test_windows_line_ends_are_read_as_any_other() -> None:
    """Whichever of the files has them."""
    ends = {
        line_end: (file_of("alpha").replace("\n", line_end), file_of("beta").replace("\n", line_end))
        for line_end in ("\n", "\r\n")
    }
    for into, source in ((ends["\n"][0], ends["\r\n"][1]), (ends["\r\n"][0], ends["\n"][1]), ends["\r\n"]):
        taken = settings_in(take_settings(into, source, settings_of("alpha")))
        assert taken == with_identity(settings_of("beta"), settings_of("alpha"))


def test_blocks_in_braces_are_taken_where_both_files_have_them() -> None:
    """And refused where only the target does, because lines do not fit into braces."""
    flow = {
        stack: FILE.format(
            block="    " + yaml.safe_dump(platform_of(stack), default_flow_style=True, width=9999).strip()
        )
        for stack in STACKS
    }
    taken = settings_in(take_settings(flow["alpha"], flow["beta"], settings_of("alpha")))
    assert taken == with_identity(settings_of("beta"), settings_of("alpha"))
    inline = flow["alpha"].replace("alt-las:platform:\n    ", "alt-las:platform: ")
    assert "cannot be carried over; write it in both stack files as a block of indented keys" in refusal(
        inline, file_of("beta"), settings_of("alpha")
    )


def test_an_anchor_outside_of_the_block_is_refused() -> None:
    """The block would refer to something that the other file does not have."""
    source = "x-shared: &image {repository: frozen68/archive-service, tag: beta}\n" + file_of("beta").replace(
        "image:\n          repository: frozen68/archive-service\n          tag: beta\n", "image: *image\n"
    )
    assert settings_in(source) == settings_of("beta")
    assert "cannot be carried over" in refusal(file_of("alpha"), source, settings_of("alpha"))


def with_ingress(stack: str, **settings: Any) -> str:
    """A stack file with more settings of the ingress."""
    document = platform_of(stack)
    document["ingress"] |= settings
    return FILE.format(block=block_of(document))


def test_an_identity_that_only_the_source_writes_out_gets_the_value_that_the_target_has() -> None:
    """Its default, which is then written out too."""
    source = with_ingress("beta", className="nginx", tls={"secretName": "beta-tls"})
    taken = settings_in(take_settings(file_of("alpha"), source, settings_of("alpha")))
    assert (taken.ingress.class_name, taken.ingress.tls.secret_name) == ("traefik", "alt-las-tls")


def test_an_identity_that_only_the_target_writes_out_stays() -> None:
    """The line is put in where the source has none; the way back gives the first text again."""
    into = with_ingress("alpha", className="nginx")
    taken = take_settings(into, file_of("beta"), settings_in(into))
    assert settings_in(taken).ingress.class_name == "nginx"
    assert settings_in(taken).services == settings_of("beta").services
    assert take_settings(taken, into, settings_in(into)) == into


@pytest.mark.parametrize("other", ["beta", "in braces"])
def test_what_stays_in_a_block_that_the_source_lacks_is_written_with_its_block(other: str) -> None:
    """Blocks within blocks are written once; the settings of the source are all there."""
    limits = {"soakMinutes": 10, "signingKey": "alpha.pub"}
    document = alpha_with({"release.promotion": limits, "ingress.tls": {"secretName": "mine"}})
    into, own = FILE.format(block=block_of(document)), parse_platform(document)

    def keeps(path: str, leaf: Leaf) -> bool:
        return leaf.field_class == "identity" or path.startswith("release.promotion.")

    source = file_of("beta") if other == "beta" else FILE.format(block="    " + json.dumps(platform_of("beta")))
    taken = settings_in(take_settings(into, source, own, keeps))
    assert taken.release.promotion == own.release.promotion
    assert taken.ingress.tls.secret_name == "mine"
    assert taken.services == settings_of("beta").services
    assert settings_in(take_settings(take_settings(into, source, own, keeps), into, own)) == own


def test_a_value_that_hides_a_block_of_what_stays_is_refused() -> None:
    """The source has turned the block off, and the target has a decision of its own in it."""
    into = file_of("alpha")
    source = FILE.format(block=block_of(platform_of("beta") | {"redis": None}))
    with pytest.raises(SettingsError, match="cannot be carried over"):
        take_settings(into, source, settings_of("alpha"), lambda path, _: path == "redis.storageSize")


def test_a_source_with_unusable_settings_is_refused() -> None:
    """Nothing is taken from it."""
    source = FILE.format(block=block_of({key: v for key, v in platform_of("beta").items() if key != "namespace"}))
    assert "alt-las:platform.namespace: is missing" in refusal(file_of("alpha"), source, settings_of("alpha"))


@pytest.mark.parametrize("text", ["", "config:", "config: {}", "config:\n  alt-las:platform: text", "- a"])
def test_a_file_without_a_block_of_settings_is_refused(text: str) -> None:
    """On either side."""
    for into, source in ((text, file_of("beta")), (file_of("alpha"), text)):
        assert "alt-las:platform: is missing or not a block of keys" in refusal(into, source, settings_of("alpha"))


def test_a_file_that_is_not_yaml_is_refused() -> None:
    """With the parser's words."""
    assert "alt-las:platform: is not in YAML: " in refusal("config: {", file_of("beta"), settings_of("alpha"))


@given(FORMS, FORMS, st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True), st.integers(1, 50))
@settings(max_examples=20)
def test_whatever_the_indentation_the_settings_arrive(
    own: tuple[int, int], others: tuple[int, int], namespace: str, tag: int
) -> None:
    """Under any namespace, and the way back gives the first settings again."""
    identity = alpha_settings({"namespace": namespace})
    into = FILE.format(block=block_of(alpha_with({"namespace": namespace}), *own))
    document = alpha_with({"namespace": "other", "services.runner-service.image.tag": f"v{tag}"})
    source = FILE.format(block=block_of(document, *others))
    taken = take_settings(into, source, identity)
    assert settings_in(taken) == with_identity(parse_platform(document), identity)
    assert settings_in(take_settings(taken, into, identity)) == identity
