"""Images out of use: the archive record, and the commands for the registry."""

from pathlib import Path

import pytest
import yaml

from components.settings.image import RETIRED_IMAGES
from tests.images.conftest import Altlas, Registry

RECORD = "images.retired.yaml"
ARCHIVE = ("--archive", "registry.example.com/archive")


@pytest.mark.parametrize(("image", "replacement"), RETIRED_IMAGES.items())
def test_the_five_images_of_alpha_are_retired_with_their_known_replacement(
    checkout: Path, altlas: Altlas, image: str, replacement: str
) -> None:
    """Image, date and replacement; then copy, compare, delete."""
    done = altlas("images", "retire", image, *ARCHIVE)
    assert done.code == 0, done.error
    (entry,) = yaml.safe_load((checkout / RECORD).read_text(encoding="utf-8"))["retired"]
    assert (entry["image"], entry["replacedBy"]) == (image, replacement)
    day = entry["retiredAt"][:10]
    kept = f"registry.example.com/archive/{image.partition('/')[2].partition(':')[0]}:retired-latest-{day}"
    assert done.out.splitlines() == [
        f"crane copy {image} {kept}",
        f'test "$(crane digest {image})" = "$(crane digest {kept})"',
        f"crane delete {image}",
    ]
    assert "not proven here: these commands were not run" in done.error


def test_the_record_grows_and_an_image_is_retired_once(checkout: Path, altlas: Altlas) -> None:
    """The second try names the day of the first and changes nothing."""
    for image in list(RETIRED_IMAGES)[:2]:
        assert altlas("images", "retire", image, *ARCHIVE).code == 0
    before = (checkout / RECORD).read_text(encoding="utf-8")
    assert len(yaml.safe_load(before)["retired"]) == 2
    done = altlas("images", "retire", next(iter(RETIRED_IMAGES)), *ARCHIVE)
    assert (done.code, "is retired since" in done.error) == (2, True)
    assert (checkout / RECORD).read_text(encoding="utf-8") == before


@pytest.mark.parametrize(
    ("image", "replacement", "reason"),
    [
        ("team/app:1", None, "the replacement of team/app:1 is not known"),
        ("team/app:1", "team/app:1", "cannot replace itself"),
        ("team/app:1", "team/app:latest", "can change under a running release"),
        ("team/app:1", "frozen68/api-gateway:latest", "is retired and must not be deployed"),
        ("team/app:1", "team/app", "is not an image"),
        ("team", "team/app:2", "is not an image"),
        ("team/app:", "team/app:2", "is not an image"),
        ("Team App:1", "team/app:2", "is not an image"),
    ],
)
def test_what_cannot_be_retired_is_refused_and_not_recorded(
    checkout: Path, altlas: Altlas, image: str, replacement: str | None, reason: str
) -> None:
    """The reason is named."""
    further = ("--replaced-by", replacement) if replacement else ()
    done = altlas("images", "retire", image, *ARCHIVE, *further)
    assert done.code == 2
    assert reason in done.error
    assert not (checkout / RECORD).exists()


def test_an_archive_that_is_no_repository_is_refused_before_anything_is_recorded(
    checkout: Path, altlas: Altlas
) -> None:
    """The commands that are printed are meant to be run, so nothing but a repository gets into them."""
    done = altlas("images", "retire", next(iter(RETIRED_IMAGES)), "--archive", "archive; rm -rf ~")
    assert (done.code, done.out) == (2, "")
    assert "--archive 'archive; rm -rf ~' is not a repository prefix" in done.error
    assert not (checkout / RECORD).exists()


def test_an_image_in_the_lock_cannot_be_retired(
    checkout: Path, altlas: Altlas, arguments: list[str], registry: Registry
) -> None:
    """It is in use."""
    assert altlas(*arguments).code == 0
    image = f"{registry.host}/team/archive-service:1.2.3"
    done = altlas("images", "retire", image, *ARCHIVE, "--replaced-by", "team/archive-service:2.0.0")
    assert (done.code, f"{image} is locked for archive-service" in done.error) == (2, True)
    assert not (checkout / RECORD).exists()


def test_a_record_that_cannot_be_read_stays_as_it_is(checkout: Path, altlas: Altlas) -> None:
    """A history that is lost cannot be restored."""
    (checkout / RECORD).write_text("retired: {}: [", encoding="utf-8")
    done = altlas("images", "retire", next(iter(RETIRED_IMAGES)), *ARCHIVE)
    assert (done.code, f"{RECORD} is not YAML: line 1" in done.error) == (2, True)
    assert (checkout / RECORD).read_text(encoding="utf-8") == "retired: {}: ["
