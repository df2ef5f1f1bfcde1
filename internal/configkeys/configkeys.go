// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package configkeys tells users which keys a configuration has when they write one that it has not.
package configkeys // import "github.com/stageflow/otelcol-stageflow/internal/configkeys"

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/confmap"
)

// Unmarshal fills cfg, a pointer to a configuration, from conf. The error names all keys that cfg does not have, each with
// those that it has in that place, before what else is wrong. Configurations call it from their own Unmarshal.
func Unmarshal(conf *confmap.Conf, cfg any) error {
	err := conf.Unmarshal(cfg)
	if err == nil {
		return nil
	}
	var unknown []error
	find(conf.ToStringMap(), reflect.TypeOf(cfg), "", &unknown)
	if len(unknown) > 0 {
		err = conf.Unmarshal(cfg, confmap.WithIgnoreUnused()) // what else is wrong
	}
	return errors.Join(append(unknown, err)...)
}

// find looks through a value as far as its type is a struct, a list of structs, or an option of either.
func find(value any, t reflect.Type, at string, unknown *[]error) {
	t = content(t)
	switch v := value.(type) {
	case map[string]any:
		if t.Kind() != reflect.Struct {
			return
		}
		keys := map[string]reflect.Type{}
		if !keysOf(t, keys) {
			return
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if field, ok := keys[key]; ok {
				find(v[key], field, at+key+"::", unknown)
			} else {
				*unknown = append(*unknown, fmt.Errorf("%s%s is no key: want %s", at, key, strings.Join(slices.Sorted(maps.Keys(keys)), ", ")))
			}
		}
	case []any:
		if t.Kind() == reflect.Slice {
			for i, item := range v {
				find(item, t.Elem(), fmt.Sprintf("%s%d::", at, i), unknown)
			}
		}
	}
}

// content is the type behind pointers and configoptional.Optional, which has a method Get.
func content(t reflect.Type) reflect.Type {
	for {
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
			continue
		}
		get, ok := reflect.PointerTo(t).MethodByName("Get")
		if !ok || !strings.HasPrefix(t.Name(), "Optional[") || get.Type.NumOut() != 1 {
			return t
		}
		t = get.Type.Out(0)
	}
}

// keysOf gathers the keys of a struct. False: it takes others, too.
func keysOf(t reflect.Type, keys map[string]reflect.Type) bool {
	for field := range t.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("mapstructure"), ",")
		switch {
		case strings.Contains(options, "remain"):
			return false
		case strings.Contains(options, "squash"):
			if !keysOf(content(field.Type), keys) {
				return false
			}
		case name != "" && name != "-":
			keys[name] = field.Type
		}
	}
	return true
}
