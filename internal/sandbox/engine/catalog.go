package engine

// OperationInfo describes an operation of the platform.
type OperationInfo struct {
	Name  string // on the wire
	Title string // what the platform's texts call it
	Page  bool   // a browser carries it; else it is one of a web service
}

// Operations lists them in the order of the manual.
func Operations() []OperationInfo {
	var list []OperationInfo
	for _, op := range operations() {
		list = append(list, OperationInfo{op.name, op.title, op.redirect})
	}
	return list
}

// OldBidInfo is an old bid as it stands now.
type OldBidInfo struct {
	Merchant string
	OldBid
}

// OldBids lists the bids of the interface before v2.0, of a merchant or of all
// with "", in the order of their coming.
func (e *Engine) OldBids(merchant string) []OldBidInfo {
	e.mu.Lock()
	defer e.mu.Unlock()
	var list []OldBidInfo
	for _, key := range e.oldBidList {
		if is(merchant, key.merchant) {
			list = append(list, OldBidInfo{key.merchant, e.oldBids[key].info()})
		}
	}
	return list
}
