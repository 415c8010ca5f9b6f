"""What new images are built with and from. Not which image runs: that is each service's own decision."""

from components.settings.base import Settings, section, setting

_VERSION = r"^\d+(\.\d+){0,2}$"


class RuntimesSettings(Settings):
    """Versions of the runtimes in new images. The recorded beta images have older ones, see release.images.runtimes."""

    node: str = setting("feature", "Node.js, a line with long-term support.", "24", pattern=_VERSION)
    rust: str = setting("feature", "Rust, the compiler only.", "1.95", pattern=_VERSION)
    python: str = setting("feature", "Python, in build and image.", "3.14", pattern=_VERSION)
    go: str = setting("feature", "Go, the compiler only.", "1.26", pattern=_VERSION)


class BuildsSettings(Settings):
    """How new images are built."""

    source: str = setting(
        "feature",
        "Repository of the services' source, written into the images' labels.",
        "https://github.com/krozenking/ALT_LAS",
        pattern=r"^https://\S+$",
    )
    runtimes: RuntimesSettings = section("Versions of the runtimes.", RuntimesSettings())
