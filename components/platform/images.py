"""Images of the services where an update itself builds them, or asks their registry for the digests."""

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.settings import PlatformSettings
from components.stack.docker_engine import docker_answers
from components.stack.image_build import SHARED_CONTEXT, ImageBuild, image_builds
from components.stack.problems import SettingsError

References = Mapping[str, pulumi.Input[str]]
"""Image with its digest, by service."""


def service_images(
    platform: PlatformSettings, root: Path, engine_answers: Callable[[Mapping[str, str]], bool] = docker_answers
) -> References:
    """The services' images whose digest this update learns; empty where the settings or the image lock decide.

    Args:
        platform: Settings of the stack.
        root: The project's root, below which the Dockerfiles are.
        engine_answers: Tells whether the Docker engine of an environment answers.

    Raises:
        pulumi.RunError: Images are to be built and no engine answers, or what goes into a build must not; raised
            before anything is registered and shown without traceback.
    """
    if platform.builds.ask_registry:
        return _asked(platform)
    try:
        builds = image_builds(platform, root, lambda: engine_answers(os.environ))
    except SettingsError as error:
        raise pulumi.RunError(str(error)) from None
    if not builds:
        return {}
    for build in builds.values():
        if build.warning:
            pulumi.log.warn(build.warning)
    tags = {service: settings.image.reference for service, settings in platform.services.by_name().items()}
    return PlatformImages("images", ImagesArgs(builds=builds, platform=platform.builds.platform, tags=tags)).references


@dataclass(frozen=True, kw_only=True)
class ImagesArgs:
    """Images to be built.

    Attributes:
        builds: What each service's image is built of.
        platform: Operating system and processor that the images are for, such as linux/amd64.
        tags: Repository and tag under which each service's image is pushed.
    """

    builds: Mapping[str, ImageBuild]
    platform: str
    tags: Mapping[str, str]


class PlatformImages(pulumi.ComponentResource):
    """Builds the services' images with the local Docker engine and pushes each under its service's name and tag.

    Owns the builds and the pushes. Does not own what is in a registry: nothing is removed there, so that a rollback
    finds its image. Not the Docker engine either, nor the registry's credentials, which are those of `docker login`.

    Attributes:
        references: Each service's image with the digest that the registry gave it.
    """

    references: Mapping[str, pulumi.Output[str]]

    def __init__(self, name: str, args: ImagesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("alt-las:platform:Images", name, None, opts)
        self.references = {
            service: self._pushed(f"{name}-{service}", args.tags[service], build, args.platform)
            for service, build in args.builds.items()
        }
        self.register_outputs({"references": self.references})

    def _pushed(self, name: str, reference: str, build: ImageBuild, platform: str) -> pulumi.Output[str]:
        import pulumi_docker as docker  # noqa: PLC0415  # takes a quarter of a second, and few stacks need it

        child = pulumi.ResourceOptions(parent=self)
        image = docker.RemoteImage(
            name,
            name=reference,
            keep_locally=True,
            # The engine looks at the folder only when something says that it has changed.
            triggers={"source": content_digest(build)},
            build=docker.RemoteImageBuildArgs(
                context=str(build.context),
                dockerfile=str(build.dockerfile),
                additional_contexts=[f"{SHARED_CONTEXT}={build.shared}"],
                build_args=dict(build.arguments),
                platform=platform,
                pull_parent=True,
            ),
            opts=child,
        )
        pushed = docker.RegistryImage(
            name, name=image.name, keep_remotely=True, triggers={"image": image.image_id}, opts=child
        )
        return pulumi.Output.concat(reference, "@", pushed.sha256_digest)


def content_digest(build: ImageBuild) -> str:
    """Digest over all that goes into a build: source, Dockerfile, shared files and arguments."""
    found = hashlib.sha256(repr(sorted(build.arguments.items())).encode())
    for folder in (build.context, build.shared):
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            found.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_mode & 0o111}\0{content}\n".encode())
    return f"sha256:{found.hexdigest()}"


def _asked(platform: PlatformSettings) -> References:
    import pulumi_docker as docker  # noqa: PLC0415  # as above

    return {
        name: pulumi.Output.concat(
            service.image.reference,
            "@",
            docker.get_registry_image_output(name=service.image.reference).sha256_digest,
        )
        for name, service in platform.services.by_name().items()
    }
