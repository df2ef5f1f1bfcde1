// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import "context"

// RunValue is [Run] for a function that returns something.
func RunValue[T any](ctx context.Context, pipeline string, f func(context.Context) (T, error), opts ...RunOption) (v T, err error) {
	err = Run(ctx, pipeline, func(ctx context.Context) (err error) {
		v, err = f(ctx)
		return err
	}, opts...)
	return v, err
}

// StageValue is [Stage] for a function that returns something. A stage that skips returns what it returned beside
// [Skip], and no error.
func StageValue[T any](ctx context.Context, name string, kind StageKind, f func(context.Context) (T, error)) (v T, err error) {
	err = Stage(ctx, name, kind, func(ctx context.Context) (err error) {
		v, err = f(ctx)
		return err
	})
	return v, err
}

// CallValue is [Call] for a function that returns something beside what it used.
func CallValue[T any](ctx context.Context, operation, provider, model string, f func(context.Context) (T, Usage, error)) (v T, err error) {
	err = Call(ctx, operation, provider, model, func(ctx context.Context) (used Usage, err error) {
		v, used, err = f(ctx)
		return used, err
	})
	return v, err
}
