// Package browsertest holds no code but tests: they walk the pages of the
// sandbox and of the example platform in a real headless Chromium, from a
// merchant's page to IPS and back, as a user would.
//
//	go test ./...
//
// Environment variables say how:
//
//   - CHROMIUM is the browser to run, by default /usr/bin/chromium. Without
//     one the tests are skipped;
//   - IPS_REQUIRE_BROWSER=1 makes them fail instead, for machines that are to
//     have one;
//   - IPS_REQUIRE_AXE=1 makes the walk over the platform fail where npm cannot get
//     axe-core, which it checks pages for accessibility with. Otherwise it says so
//     and does without;
//   - IPS_SCREENSHOTS is the folder, as an absolute path, that a picture of
//     every state of every page goes to. By default it is the test's artifact
//     folder: go test -artifacts keeps it.
package browsertest
