package main

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// allowed are licences that let a closed program use what is under them.
var allowed = map[string]bool{"MIT": true, "BSD-2-Clause": true, "BSD-3-Clause": true, "Apache-2.0": true, "ISC": true, "MPL-2.0": true}

// TestLicences reads the licence of every module that is compiled into a program or
// a test of this repository, and compares it with docs/dependencies.md.
func TestLicences(t *testing.T) {
	t.Parallel()
	for _, section := range modules(t) {
		listed := listedModules(t)[section]
		for path, dir := range compiled(t, section) {
			found := licences(t, dir)
			assert.NotEmpty(t, found, "%s: no licence in %s is one that is known here", path, dir)
			for _, name := range found {
				assert.True(t, allowed[name], "%s is under %s", path, name)
				assert.Contains(t, listed[path], name, "docs/dependencies.md, section %s: licence of %s", section, path)
			}
		}
	}
}

// compiled gives the folders of the modules that a module's packages and tests are
// built from, without those of this repository.
func compiled(t *testing.T, dir string) map[string]string {
	t.Helper()
	list := exec.Command("go", "list", "-deps", "-test", "-json=Module", "./...")
	list.Dir = dir
	out, err := list.Output()
	require.NoError(t, err, "go list in %s", dir)
	all := map[string]string{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			Module *struct{ Path, Version, Dir string }
		}
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		if m := p.Module; m != nil && m.Version != "" {
			all[m.Path+"@"+m.Version] = m.Dir
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
