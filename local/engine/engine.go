//go:build tools

// Package engine pins Pulumi's command for a build through the Go module proxy, where no release can be fetched.
package engine

import _ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
