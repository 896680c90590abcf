package engine_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
)

// saved is a new engine that knows what another one has saved.
func saved(t *testing.T, e *engine.Engine) *engine.Engine {
	t.Helper()
	var image bytes.Buffer
	require.NoError(t, e.Save(&image))
	fresh := engine.New()
	require.Equal(t, e.Schema(), fresh.Schema())
	require.NotEmpty(t, fresh.Schema())
	require.NoError(t, fresh.Load(bytes.NewReader(image.Bytes()), int64(image.Len())))
	return fresh
}

// An engine that was saved and loaded time and again decides everything as the
// one that lived through all of it.
func TestSaveAndLoad(t *testing.T) {
	t.Parallel()
	steps := 1200
	if testing.Short() {
		steps = 200
	}
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			f := newTraffic(t, 100+seed)
			for range steps {
				f.step()
			}
			one, other := engine.New(), engine.New()
			for i, cmd := range f.log {
				a, errA := one.Apply(cmd)
				b, errB := other.Apply(cmd)
				require.Equal(t, errA, errB)
				require.Equal(t, a, b, "command %d", i)
				if i%37 == 0 || i == len(f.log)-1 {
					other = saved(t, other)
					require.Equal(t, one.Digest(), other.Digest(), "command %d", i)
				}
			}
			require.NoError(t, other.CheckBooks())
			assert.Equal(t, f.e.Digest(), other.Digest())
		})
	}
}

func TestLoadRefusesWhatIsDamaged(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.fund()
	var image bytes.Buffer
	require.NoError(t, w.e.Save(&image))
	before := w.e.Digest()
	for _, cut := range []int{0, 1, image.Len() / 2, image.Len() - 1} {
		require.Error(t, w.e.Load(bytes.NewReader(image.Bytes()[:cut]), int64(cut)))
		require.Error(t, w.e.Load(bytes.NewReader(image.Bytes()[:cut]), int64(image.Len())))
	}
	longer := append(bytes.Clone(image.Bytes()), 0)
	require.Error(t, w.e.Load(bytes.NewReader(longer), int64(len(longer))))
	assert.Equal(t, before, w.e.Digest(), "and nothing has changed")
}

// FuzzLoad may find what loads, and nothing that does worse.
func FuzzLoad(f *testing.F) {
	w := newTown(f)
	for _, e := range []*engine.Engine{engine.New(), w.e} {
		var image bytes.Buffer
		require.NoError(f, e.Save(&image))
		f.Add(image.Bytes())
	}
	f.Add([]byte{})
	e := engine.New() // one for all: what an image looks like is found out once
	f.Fuzz(func(t *testing.T, data []byte) {
		_ = e.Load(bytes.NewReader(data), int64(len(data)))
	})
}
