"""Security policy: rules for manifests, the proof of network reachability, and the gates built from both.

Works on plain Kubernetes manifests, so the same checks run over recorded registrations, over rendered YAML and inside
`pulumi preview --policy-pack policy/pack`. Owns no manifest and no setting.
"""
