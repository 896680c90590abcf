package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// allowed are licences that let a closed program use what is under them.
var allowed = map[string]bool{"MIT": true, "BSD-2-Clause": true, "BSD-3-Clause": true, "Apache-2.0": true, "ISC": true, "MPL-2.0": true}

const dependenciesPage = "docs/dependencies.md"

// dependency is a row of the table in docs/dependencies.md. Why it is there and
// what it reads, people have written; the rest is looked up.
type dependency struct{ licence, released, in, why, reads string }

var dependencyRow = regexp.MustCompile("(?m)^\\| `([^`@]+@[^`]+)` \\|(.*)\\|\n")

// TestDependencies: docs/dependencies.md lists what the modules of this repository
// require, and nothing else, with why, and with the licences that are in the folders
// of what is compiled. With -update it writes what can be looked up.
func TestDependencies(t *testing.T) {
	text, err := os.ReadFile(dependenciesPage)
	require.NoError(t, err)
	listed := map[string]dependency{}
	for _, m := range dependencyRow.FindAllStringSubmatch(string(text), -1) {
		cells := strings.Split(m[2], "|")
		require.Len(t, cells, 5, m[0])
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		listed[m[1]] = dependency{cells[0], cells[1], cells[2], cells[3], cells[4]}
	}
	required := map[string][]string{} // by what
	for _, file := range files(t, "go.mod") {
		for _, module := range requirements(t, file) {
			required[module] = append(required[module], path.Base(path.Dir("ips/"+file)))
		}
	}
	if *update {
		listed = looked(t, listed, required)
		head, table, _ := strings.Cut(string(text), dependencyRow.FindString(string(text)))
		rest := dependencyRow.ReplaceAllString(table, "")
		var rows strings.Builder
		for _, module := range slices.Sorted(maps.Keys(listed)) {
			d := listed[module]
			fmt.Fprintf(&rows, "| `%s` | %s | %s | %s | %s | %s |\n", module, d.licence, d.released, d.in, d.why, d.reads)
		}
		require.NoError(t, os.WriteFile(dependenciesPage, []byte(head+rows.String()+rest), 0o644))
	}
	const rewrite = "%s; rewrite it with go test ./internal/house -update, and say why"
	assert.Equal(t, slices.Sorted(maps.Keys(required)), slices.Sorted(maps.Keys(listed)), rewrite, dependenciesPage)
	for module, d := range listed {
		assert.Equal(t, strings.Join(required[module], ", "), d.in, rewrite, module)
		assert.NotEmpty(t, d.why, "%s: why %s is there", dependenciesPage, module)
		assert.NotEmpty(t, d.reads, "%s: whether %s reads what strangers send", dependenciesPage, module)
		for name := range strings.SplitSeq(d.licence, ", ") {
			assert.True(t, allowed[name], "%s: licence %q", module, name)
		}
	}
	byPath := map[string]dependency{}
	for module, d := range listed {
		name, _, _ := strings.Cut(module, "@")
		byPath[name] = d
	}
	for name, dir := range compiled(t) {
		assert.Equal(t, strings.Join(licences(t, dir), ", "), byPath[name].licence, rewrite, name)
	}
}

// requirements are those of a go.mod, direct and indirect ones, as path@version;
// not those on modules of this repository.
func requirements(t *testing.T, file string) []string {
	t.Helper()
	edit := exec.Command("go", "mod", "edit", "-json")
	edit.Dir = filepath.Dir(file)
	out, err := edit.Output()
	require.NoError(t, err, file)
	var mod struct {
		Require []struct {
			Path, Version string
			Indirect      bool
		}
	}
	require.NoError(t, json.Unmarshal(out, &mod))
	var all []string
	for _, r := range mod.Require {
		// What the frameworks of examples/frameworks bring with them is compiled into its tests only.
		if !strings.HasPrefix(r.Path, "github.com/ips-p2p/ips") && !(r.Indirect && strings.HasSuffix(path.Dir(file), "examples/frameworks")) {
			all = append(all, r.Path+"@"+r.Version)
		}
	}
	return all
}

// looked up are the rows of all that is required. What is said of a module stays
// when its version changes.
func looked(t *testing.T, listed map[string]dependency, required map[string][]string) map[string]dependency {
	t.Helper()
	said := map[string]dependency{}
	for module, d := range listed {
		name, _, _ := strings.Cut(module, "@")
		said[name] = d
	}
	download := exec.Command("go", append([]string{"mod", "download", "-json"}, slices.Sorted(maps.Keys(required))...)...)
	download.Dir = t.TempDir()
	out, err := download.Output()
	require.NoError(t, err, "%s", out)
	all := map[string]dependency{}
	for m := range objects[struct{ Path, Version, Info, Dir string }](t, out) {
		var info struct{ Time time.Time }
		text, err := os.ReadFile(m.Info)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(text, &info))
		d := said[m.Path]
		d.licence, d.released = strings.Join(licences(t, m.Dir), ", "), info.Time.Format("2006-01")
		d.in = strings.Join(required[m.Path+"@"+m.Version], ", ")
		all[m.Path+"@"+m.Version] = d
	}
	return all
}

// compiled gives the folders of the modules that programs and tests of the
// repository are built from, without those of the repository itself. The workspace
// may build them in a later version than a go.mod asks for.
func compiled(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, file := range files(t, "go.mod") {
		if strings.HasSuffix(path.Dir(file), "examples/frameworks") {
			continue // see requirements
		}
		list := exec.Command("go", "list", "-deps", "-test", "-json=Module", "./...")
		list.Dir = filepath.Dir(file)
		out, err := list.Output()
		require.NoError(t, err, "go list beside %s", file)
		for p := range objects[struct {
			Module *struct{ Path, Version, Dir string }
		}](t, out) {
			if m := p.Module; m != nil && m.Version != "" {
				all[m.Path] = m.Dir
			}
		}
	}
	return all
}

// objects reads JSON objects one behind the other.
func objects[T any](t *testing.T, data []byte) func(func(T) bool) {
	return func(yield func(T) bool) {
		for d := json.NewDecoder(bytes.NewReader(data)); ; {
			var v T
			err := d.Decode(&v)
			if errors.Is(err, io.EOF) {
				return
			}
			require.NoError(t, err)
			if !yield(v) {
				return
			}
		}
	}
}

var (
	licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying)(\.(txt|md))?$`)
	spaces      = regexp.MustCompile(`\s+`)
)

// licences names those that the texts in a module's folder are.
func licences(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var found []string
	for _, e := range entries {
		if e.IsDir() || !licenceFile.MatchString(e.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		require.NoError(t, err)
		found = append(found, licencesOf(string(text))...)
	}
	return found
}

func licencesOf(text string) []string {
	text = spaces.ReplaceAllString(strings.ToLower(text), " ")
	if strings.Contains(text, "mozilla public license") && strings.Contains(text, "2.0") {
		return []string{"MPL-2.0"} // it speaks of others
	}
	var found []string
	for _, l := range []struct{ says, name string }{
		{"permission is hereby granted, free of charge", "MIT"},
		{"permission to use, copy, modify, and/or distribute this software", "ISC"},
		{"permission to use, copy, modify, and distribute this software", "ISC"},
		{"apache license, version 2.0", "Apache-2.0"},
		{"apache license version 2.0", "Apache-2.0"},
		{"gnu general public license", "GPL"},
		{"gnu lesser general public license", "LGPL"},
		{"gnu affero general public license", "AGPL"},
	} {
		if strings.Contains(text, l.says) && !strings.Contains(strings.Join(found, " "), l.name) {
			found = append(found, l.name)
		}
	}
	if strings.Contains(text, "redistribution and use in source and binary forms") {
		bsd := "BSD-2-Clause"
		if strings.Contains(text, "neither the name") {
			bsd = "BSD-3-Clause"
		}
		found = append(found, bsd)
	}
	return found
}

func TestLicencesOf(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"Permission is hereby granted,\nfree of charge, to any person":                                  {"MIT"},
		"Redistribution and use in source\nand binary forms … Neither the name of":                      {"BSD-3-Clause"},
		"redistribution and use in source and binary forms":                                             {"BSD-2-Clause"},
		"Apache License\n  Version 2.0, January 2004":                                                   {"Apache-2.0"},
		"Mozilla Public License Version 2.0 … Secondary Licenses: the GNU General Public License":       {"MPL-2.0"},
		"GNU GENERAL PUBLIC LICENSE Version 3":                                                          {"GPL"},
		"Permission is hereby granted, free of charge … Licensed under the Apache License, Version 2.0": {"MIT", "Apache-2.0"},
		"All rights reserved.": nil,
	} {
		assert.Equal(t, want, licencesOf(text), text)
	}
}
