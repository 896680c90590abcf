package main

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// proxy lays the modules of the repository out in dir as a module proxy serves
// them (file://dir in GOPROXY), all at one version, so that they can be tried as
// their users get them: without the workspace, by version.
func proxy(dir, version string) error {
	out, err := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		return fmt.Errorf("git ls-files: %w", err)
	}
	files := strings.Fields(string(out))
	files = slices.DeleteFunc(files, func(f string) bool { _, err := os.Stat(f); return err != nil })
	var roots []string // folders of modules, the deepest first
	for _, f := range files {
		if path.Base(f) == "go.mod" {
			roots = append(roots, path.Dir(f))
		}
	}
	slices.SortFunc(roots, func(a, b string) int { return len(b) - len(a) })
	of := make(map[string][]string)
	for _, f := range files {
		i := slices.IndexFunc(roots, func(root string) bool { return root == "." || strings.HasPrefix(f, root+"/") })
		of[roots[i]] = append(of[roots[i]], f)
	}
	for _, root := range roots {
		if err := proxyModule(dir, version, root, of[root]); err != nil {
			return fmt.Errorf("%s: %w", root, err)
		}
	}
	return nil
}

var modulePath = regexp.MustCompile(`(?m)^module (\S+)$`)

func proxyModule(dir, version, root string, files []string) error {
	mod, err := os.ReadFile(path.Join(root, "go.mod"))
	if err != nil {
		return err
	}
	m := modulePath.FindSubmatch(mod)
	if m == nil {
		return fmt.Errorf("go.mod names no module")
	}
	name := string(m[1])
	var content bytes.Buffer
	z := zip.NewWriter(&content)
	for _, f := range files {
		w, err := z.Create(name + "@" + version + "/" + strings.TrimPrefix(f, root+"/"))
		if err != nil {
			return err
		}
		r, err := os.Open(f)
		if err != nil {
			return err
		}
		_, err = io.Copy(w, r)
		r.Close()
		if err != nil {
			return err
		}
	}
	if err := z.Close(); err != nil {
		return err
	}
	at := filepath.Join(dir, filepath.FromSlash(name), "@v")
	if err := os.MkdirAll(at, 0o755); err != nil {
		return err
	}
	for file, data := range map[string][]byte{
		"list":            []byte(version + "\n"),
		version + ".info": []byte(`{"Version":"` + version + `"}`),
		version + ".mod":  mod,
		version + ".zip":  content.Bytes(),
	} {
		if err := os.WriteFile(filepath.Join(at, file), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}
