// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package storageclient opens the storage that a component's option `storage` names.
package storageclient // import "github.com/stageflow/otelcol-stageflow/internal/storageclient"

import (
	"context"
	"fmt"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/xextension/storage"
)

// Open returns the client for what of owner in the storage extension that is named. The error says what is wrong with the
// option.
func Open(ctx context.Context, host component.Host, named, owner component.ID, kind component.Kind, what string) (storage.Client, error) {
	extension, ok := host.GetExtensions()[named]
	if !ok {
		return nil, fmt.Errorf("storage is %q: there is no such extension; list it under service::extensions", named)
	}
	store, ok := extension.(storage.Extension)
	if !ok {
		return nil, fmt.Errorf("storage is %q: that is not a storage extension; file_storage is one", named)
	}
	client, err := store.GetClient(ctx, kind, owner, what)
	if err != nil {
		return nil, fmt.Errorf("storage %q cannot be opened: %w", named, err)
	}
	return client, nil
}
