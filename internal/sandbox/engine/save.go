package engine

import (
	"fmt"
	"io"

	"github.com/ips-p2p/ips/internal/sandbox/image"
)

// coder writes and reads the state. What belongs to the program, such as the
// operations, is written as its name.
func (e *Engine) coder() (*image.Coder, error) {
	named := map[string]any{"China": China}
	for _, op := range e.operationList {
		named[op.name] = op
	}
	for name, kind := range transferKinds {
		named["transfer "+name] = kind
	}
	return image.New(state{}, []any{
		&openTask{}, &bidTask{}, &endTask{}, &creditorTask{}, &guarantorTask{}, &unfreezeTask{}, &debtTask{}, &contractTask{},
		&rechargeTask{}, &withdrawalTask{}, &transferTask{}, &repaymentTask{}, &oldRepaymentTask{}, heldTask{},
	}, named)
}

// Schema is a fingerprint of how [Engine.Save] writes: the Rules, and what the
// state consists of.
func (e *Engine) Schema() string {
	c, err := e.coding()
	if err != nil {
		return "" // which a test knows not to happen
	}
	return fmt.Sprint(Rules, " ", c.Schema())
}

// Save writes all that the engine knows.
func (e *Engine) Save(w io.Writer) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.coding()
	if err != nil {
		return fmt.Errorf("engine: Save: %w", err)
	}
	return c.Write(w, &e.state)
}

// Load takes what an engine with the same Schema has saved in place of all that
// this one knows. After an error it knows what it did before.
func (e *Engine) Load(r io.Reader, size int64) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.coding()
	if err != nil {
		return fmt.Errorf("engine: Load: %w", err)
	}
	var s state
	if err := c.Read(r, size, &s); err != nil {
		return fmt.Errorf("engine: Load: %w", err)
	}
	e.state, e.columns = s, columns{}
	return nil
}
