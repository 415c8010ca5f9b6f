module alt-las/tools/pulumi-kubernetes-sdk

go 1.26

require github.com/pulumi/pulumi-kubernetes/sdk/v4 v4.24.0
