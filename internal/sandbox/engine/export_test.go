package engine

// Corruptions damage an engine that has the bid B1 with a released claim of
// two holders, a guarantor who has compensated, and a sale under way. Each
// gets past the checks of a single posting, so that CheckBooks has to see it.
var Corruptions = map[string]func(*Engine){
	"raised":             func(e *Engine) { e.first().raised++ },
	"released":           func(e *Engine) { e.first().released-- },
	"received":           func(e *Engine) { e.first().received++ },
	"fee taken":          func(e *Engine) { e.first().feeTaken = e.first().fee + 1 },
	"margin":             func(e *Engine) { e.first().margin = 0 },
	"loan smaller":       func(e *Engine) { e.first().amount = 1 },
	"claim frozen again": func(e *Engine) { e.first().claims[0].state = claimFrozen },
	"claim larger":       func(e *Engine) { e.first().claims[0].amount++ },
	"holding larger":     func(e *Engine) { e.first().claims[0].holdings[0].face++ },
	"holding overpaid":   func(e *Engine) { e.first().claims[0].holdings[0].outstanding = -1 },
	"debt forgiven":      func(e *Engine) { e.first().claims[0].holdings[0].outstanding = 0 },
	"holding on sale":    func(e *Engine) { e.first().claims[0].holdings[0].onSale++ },
	"ended unpaid":       func(e *Engine) { e.first().claims[0].state = claimEnded },
	"sale forgotten":     func(e *Engine) { e.first().debts[0].state = debtFailed },
	"sale dearer":        func(e *Engine) { e.first().debts[0].price++ },
	"compensated":        func(e *Engine) { e.first().guarantees[0].compensated++ },
	"promise broken":     func(e *Engine) { e.first().guarantees[0].promised = 1 },
	"profit":             func(e *Engine) { e.first().guarantees[0].profitPaid = e.first().guarantees[0].profit + 1 },
	"guarantor's margin": func(e *Engine) { e.first().guarantees[0].margin = 0 },
	"reimbursed":         func(e *Engine) { e.first().compensated[0].repaid = e.first().compensated[0].amount + 1 },
	"bid lost":           func(e *Engine) { e.bidList = nil },
	"held order lost":    func(e *Engine) { e.held = nil },
}

func (e *Engine) first() *bid { return e.bidList[0] }

// Codes lists every code that the engine gives, in the order of the manual.
func Codes() []Code {
	codes := append([]Code(nil), codeTable[:]...)
	for _, op := range operations() {
		codes = append(codes, op.commonCodes()...)
	}
	return codes
}

// commonCodes are the codes that the operation has by the general scheme.
func (op *operation) commonCodes() []Code {
	var codes []Code
	has := map[int]bool{
		numberTaken: op.name != "doDpTrade", cancelled: op.redirect, wrongPasswords: op.redirect, unconfirmed: op.redirect,
		rowFault: op.rows != nil, malformed: op.fieldCode == "",
	}
	for i := range op.fields {
		has[notOpen] = has[notOpen] || op.fields[i].closed != ""
	}
	for _, n := range []int{notOpen, numberTaken, cancelled, wrongPasswords, unconfirmed, rowFault, malformed} {
		if has[n] {
			c := commonTable[n]
			c.Code = op.commonCode(n)
			codes = append(codes, c)
		}
	}
	return codes
}
