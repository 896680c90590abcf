package ips

import (
	"log/slog"

	"github.com/ips-p2p/ips/internal/codec"
)

// LogValue is for [log/slog]: what was asked, of which order, how the answer came
// and what it says, and no more, whatever response it is part of. The message of
// IPS is not in it, since it may name an account.
func (r Reply) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("operation", string(r.Operation)), slog.String("merchant", r.MerchantCode), slog.String("order", r.OrderNo),
		slog.String("via", r.Via.String()), slog.String("code", string(r.Code)), slog.String("outcome", r.Outcome.String()),
	)
}

// logValue is a request as a log may have it: its fields by their Go names, those
// that are personal masked and those that are empty left out, and the number of
// its rows.
func logValue(req Request) slog.Value {
	o, err := ownOf(req)
	if err != nil {
		return slog.StringValue(err.Error())
	}
	attrs := []slog.Attr{slog.String("operation", string(o.op.Operation))}
	for _, f := range o.plan.fields {
		v := o.ptr.Elem()
		switch text := codec.Text(v, f.Field); {
		case v.FieldByIndex(f.Index).IsZero():
		case f.rows != nil:
			attrs = append(attrs, slog.Int(f.GoName, v.FieldByIndex(f.Index).Len()))
		case f.secret:
			attrs = append(attrs, slog.String(f.GoName, "***"))
		case f.url:
			attrs = append(attrs, slog.String(f.GoName, shownURL(text)))
		default:
			attrs = append(attrs, slog.String(f.GoName, text))
		}
	}
	return slog.GroupValue(attrs...)
}

// LogValue is the request for [log/slog], with what is personal masked.
func (r OpenAccountRequest) LogValue() slog.Value { return logValue(r) }

// LogValue is the request for [log/slog], with what is personal masked.
func (r QueryBalanceRequest) LogValue() slog.Value { return logValue(r) }

// LogValue is the request for [log/slog], with what is personal masked.
func (r QueryAccountRequest) LogValue() slog.Value { return logValue(r) }

// LogValue is the request for [log/slog], with what is personal masked.
func (r SignAutoBidRequest) LogValue() slog.Value { return logValue(r) }

// LogValue is the request for [log/slog], with what is personal masked.
func (r SignAutoRepayRequest) LogValue() slog.Value { return logValue(r) }

// LogValue is the request for [log/slog], with what is personal masked.
func (r RegisterBidRequest) LogValue() slog.Value { return logValue(r) }

// LogValue is the request for [log/slog], with what is personal masked.
func (r EndBidRequest) LogValue() slog.Value { return logValue(r) }

// LogValue is the request for [log/slog], with what is personal masked.
func (r RegisterCreditorRequest) LogValue() slog.Value { return logValue(r) }

// LogValue is the request for [log/slog], with what is personal masked.
func (r AutoBidRequest) LogValue() slog.Value { return logValue(r) }

// LogValue is the request for [log/slog], with what is personal masked.
func (r RegisterGuarantorRequest) LogValue() slog.Value { return logValue(r) }

// LogValue is the request for [log/slog], with what is personal masked.
func (r RepayOldBidRequest) LogValue() slog.Value { return logValue(r) }

// LogValue is the request for [log/slog], with what is personal masked.
func (r RechargeRequest) LogValue() slog.Value { return logValue(r) }

// LogValue is the request for [log/slog], with what is personal masked.
func (r WithholdingRechargeRequest) LogValue() slog.Value { return logValue(r) }

// LogValue is the request for [log/slog], with what is personal masked.
func (r QueryBanksRequest) LogValue() slog.Value { return logValue(r) }

// LogValue is the request for [log/slog], with what is personal masked.
func (r RepayRequest) LogValue() slog.Value { return logValue(r) }

// LogValue is the request for [log/slog], with what is personal masked.
func (r AutoRepayRequest) LogValue() slog.Value { return logValue(r) }

// LogValue is the request for [log/slog], with what is personal masked.
func (r QueryTradeRequest) LogValue() slog.Value { return logValue(r) }

// LogValue is the request for [log/slog], with what is personal masked.
func (r RegisterDebtTransferRequest) LogValue() slog.Value { return logValue(r) }

// LogValue is the request for [log/slog], with what is personal masked.
func (r TransferRequest) LogValue() slog.Value { return logValue(r) }

// LogValue is the request for [log/slog], with what is personal masked.
func (r UnfreezeMarginRequest) LogValue() slog.Value { return logValue(r) }

// LogValue is the request for [log/slog], with what is personal masked.
func (r WithdrawRequest) LogValue() slog.Value { return logValue(r) }
