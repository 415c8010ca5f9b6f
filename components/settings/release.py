"""Settings of releases: approvals by class of change, freeze windows, and limits of a plan. Never a key."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, Self

from cronsim import CronSim
from pydantic import AfterValidator, model_validator

from components.settings.backup import Schedule
from components.settings.base import Settings, section, setting

_MOST_APPROVALS = 5
_FILE = r"^[A-Za-z0-9._][A-Za-z0-9._/-]*$"


def _moment(text: str) -> str:
    try:
        known = datetime.fromisoformat(text)
    except ValueError:
        known = None
    if known is None or known.tzinfo is None:
        raise ValueError(f"{text!r} is not a moment; write one with its time zone, such as 2026-12-20T00:00:00+00:00")
    return text


Moment = Annotated[str, AfterValidator(_moment)]


class ApprovalsSettings(Settings):
    """Number of persons who must sign a plan, by the class of its changes; the largest number counts."""

    capacity: int = setting("security", "For changes of how much.", 1, ge=0, le=_MOST_APPROVALS)
    feature: int = setting("security", "For changes of what runs.", 1, ge=0, le=_MOST_APPROVALS)
    security: int = setting("security", "For changes of who may do what.", 1, ge=0, le=_MOST_APPROVALS)
    data: int = setting("security", "For changes of objects that hold data.", 2, ge=0, le=_MOST_APPROVALS)


class FreezeSettings(Settings):
    """A time in which nothing is released: a repeated one (schedule and hours) or a single one (start and end)."""

    name: str = setting("security", "Name of the window, which messages and overrides use.", min_length=1)
    schedule: Schedule | None = setting("security", "Begins in UTC, such as '0 16 * * 5'.", None, unit="cron")
    hours: int | None = setting("security", "Length after each begin.", None, ge=1, le=744, unit="hours")
    start: Moment | None = setting("security", "Begin of a single window.", None)
    end: Moment | None = setting("security", "End of a single window.", None)

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> Self:
        repeated, single = (self.schedule, self.hours), (self.start, self.end)
        if not ((all(repeated) and not any(single)) or (all(single) and not any(repeated))):
            raise ValueError(f"{self.name!r} needs either schedule and hours, or start and end")
        if self.start and self.end and datetime.fromisoformat(self.end) <= datetime.fromisoformat(self.start):
            raise ValueError(f"{self.name!r} ends ({self.end}) before it begins ({self.start})")
        return self

    def end_at(self, now: datetime) -> datetime | None:
        """End of the window that `now` is in, None outside of it."""
        if self.start and self.end:
            start, end = datetime.fromisoformat(self.start), datetime.fromisoformat(self.end)
            return end if start <= now < end else None
        length = timedelta(hours=self.hours or 0)
        # The schedule has no time zone, so it is read in UTC.
        here = now.astimezone(UTC).replace(tzinfo=None)
        begins = CronSim(self.schedule or "", here - length)
        last: datetime | None = None
        for begin in begins:
            if begin > here:
                break
            last = begin
        return (last + length).replace(tzinfo=UTC) if last and here < last + length else None


class PromotionSettings(Settings):
    """Limits for what comes into a stack by `altlas promote`."""

    classes: tuple[Literal["capacity", "feature", "security", "data"], ...] = setting(
        "security",
        "Classes of settings that a promotion may change, besides the images of the services, which it always moves.",
        ("feature",),
    )
    soak_minutes: int = setting(
        "security",
        "Time that a release must have been ready in the stack that it comes from.",
        60,
        ge=0,
        unit="minutes",
    )
    backup_hours: int = setting(
        "security", "Age at which the last good backup of a store is too old.", 26, ge=1, le=744, unit="hours"
    )
    restore_test_days: int = setting(
        "security", "Age at which the last good restore test of a store is too old.", 8, ge=1, le=365, unit="days"
    )
    signing_key: str = setting(
        "security",
        "File in the repository with the public key that the images are signed with by cosign.",
        "cosign.pub",
        pattern=_FILE,
    )


class ReleaseSettings(Settings):
    """Rules of releases. The defaults leave `altlas up` as it is; `altlas apply` needs signatures."""

    approvals: ApprovalsSettings = section("Signatures that a plan needs.", ApprovalsSettings())
    automatic: bool = setting(
        "security",
        "Apply a plan without signatures if it deletes and replaces nothing, touches no data and no policy, and can be "
        "undone by its inverse.",
        False,
    )
    allowed_signers: str = setting(
        "security",
        "File in the repository with the keys that may sign, in the format of ssh-keygen.",
        "allowed_signers",
        pattern=_FILE,
    )
    plan_hours: int = setting("security", "Time after which a plan expires.", 24, ge=1, le=168, unit="hours")
    most_deletions: int | None = setting(
        "security", "Most objects that a plan may delete or replace; null for any number.", None, ge=0
    )
    automatic_rollback: bool = setting(
        "security",
        "Let `altlas rollback --automatic` take a failed deployment back without signatures: once, to the release "
        "before it, and only if every step can be undone by its inverse.",
        False,
    )
    plans_only: bool = setting("security", "Refuse `altlas up`, so that only approved plans are applied.", False)
    promotion: PromotionSettings = section("Limits of promotions into this stack.", PromotionSettings())
    freezes: tuple[FreezeSettings, ...] = setting("security", "Times in which nothing is released.", ())

    def frozen(self, now: datetime) -> tuple[str, datetime] | None:
        """Name and end of the window that `now` is in; of several the one that ends last."""
        ends: Iterable[tuple[datetime, str]] = (
            (end, window.name) for window in self.freezes if (end := window.end_at(now))
        )
        last = max(ends, default=None)
        return (last[1], last[0]) if last else None
