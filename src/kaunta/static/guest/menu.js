// Plus and minus without a round trip; without script the same buttons post and come back with the new number.
(()=>{
let form=document.getElementById('order'),label=()=>{
let n=0,sum=0;
form.querySelectorAll('input[data-price]').forEach(e=>{
n+=+e.value;
sum+=e.value*e.dataset.price;
e.parentNode.classList.toggle('on',e.value>0)});
let b=document.getElementById('send');
b.textContent=n?b.dataset.with.replace('{}','KES '+sum.toLocaleString('en')):b.dataset.plain;
b.classList.toggle('two',!n)};
form.onclick=e=>{
let b=e.target.closest('[name=step]');
if(!b)return;
e.preventDefault();
let i=b.parentNode.querySelector('input');
i.value=Math.max(0,Math.min(20,+i.value+(b.value[0]=='m'?-1:1)))||'';
label()};
form.oninput=label;
addEventListener('fresh',label);
label()
})();
