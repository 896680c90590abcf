package console

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestShellQuote(t *testing.T) {
	t.Parallel()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no sh")
	}
	for _, s := range []string{
		"", "plain", "two words", "it's", "''", "$HOME `id` $(id) \\ \" ! * ? ~ # & ; | < >", "new\nline", "-n", "张三", "trailing\\",
	} {
		out, err := exec.Command(sh, "-c", "printf %s "+shellQuote(s)).Output()
		require.NoError(t, err)
		assert.Equal(t, s, string(out))
	}
}

// What a person copies out of the console must arrive as the sandbox's own
// post does, byte for byte.
func TestCurlCommandPostsTheSame(t *testing.T) {
	t.Parallel()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no sh")
	}
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("there is no curl")
	}
	for name, c := range map[string]struct{ path, form string }{
		"plain":     {"/notify", "pMerCode=808801&pErrMsg=%e6%93%8d&pSign=0"},
		"query":     {"/notify?a=1&b=2", "a=b"},
		"quotes":    {"/it's?$(id)=`id`", "a=it's&b=\"$HOME\""},
		"globs":     {"/{a,b}/[1-3]?x={c}", "a=[1]"},
		"dots":      {"/a/../b/./c", "a=b"},
		"at sign":   {"/notify", "@/etc/passwd"},
		"long form": {"/notify", "a=" + strings.Repeat("x%2b", 100<<10)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var body, media, address string
			server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				data, err := io.ReadAll(r.Body)
				assert.NoError(t, err)
				body, media, address = string(data), r.Header.Get("Content-Type"), r.RequestURI
			}))
			defer server.Close()
			script := filepath.Join(t.TempDir(), "replay.sh")
			require.NoError(t, os.WriteFile(script, []byte(curlCommand(server.URL+c.path, c.form)+"\n"), 0o600))
			cmd := exec.Command(sh, script)
			cmd.Env = append(os.Environ(), "no_proxy=*", "CURL_HOME="+t.TempDir())
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, string(out))
			assert.Equal(t, c.form, body)
			assert.Equal(t, c.path, address)
			assert.Equal(t, "application/x-www-form-urlencoded", media)
		})
	}
}
